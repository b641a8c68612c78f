import { connect as connectHttp2 } from 'node:http2';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';

/** The body of what an HTTP/2 request gets; undefined: no 200. */
export async function overHttp2(to: ListenAddress, authority: string): Promise<string | undefined> {
  const session = connectHttp2(`http://${to.address}:${to.port}`);
  try {
    return await new Promise((resolve) => {
      let [text, status] = ['', 0];
      const stream = session.request({ ':path': '/', ':authority': authority });
      stream.on('response', (headers) => {
        status = headers[':status'] ?? 0;
      });
      stream.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      stream.on('error', () => {}).on('close', () => resolve(status === 200 ? text : undefined));
    });
  } finally {
    session.destroy();
  }
}
