import { get } from 'node:http';
import { connect } from 'node:net';

/** How it is seen that a process serves. */
export type Probe =
  /** A GET that is answered with 2xx. */
  | { readonly url: string }
  /** A connection that opens. */
  | { readonly host: string; readonly port: number };

const probeMsMax = 1_000;

/** Probes once: why it is not healthy, or undefined when it is. */
export function probe(target: Probe): Promise<string | undefined> {
  return new Promise((resolve) => {
    if ('url' in target) {
      const sent = get(target.url, { agent: false, timeout: probeMsMax }, (response) => {
        response.resume();
        const status = response.statusCode ?? 0;
        resolve(status >= 200 && status < 300 ? undefined : `${target.url} answers ${status}`);
      });
      sent.on('timeout', () => sent.destroy(new Error(`no answer in ${probeMsMax} ms`)));
      sent.on('error', (error) => resolve(`${target.url}: ${error.message}`));
      return;
    }
    const socket = connect(target);
    socket.setTimeout(probeMsMax, () => socket.destroy(new Error(`no connection in ${probeMsMax} ms`)));
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', (error) => resolve(`${target.host}:${target.port}: ${error.message}`));
  });
}
