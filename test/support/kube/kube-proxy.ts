import { writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Test } from 'tap';
import { createAuthority } from '../certificates.ts';
import { adminToken, type KubeApi } from './kube-api.ts';

/** What a proxy does with a request; undefined: passes it on. */
export interface Mischief {
  /** Answers itself. */
  readonly answer?: { readonly status: number; readonly body: string; readonly retryAfter?: string };
  /** Passes on so many bytes of the answer, then ends the stream, in the middle of whatever it is. */
  readonly cutAfter?: number;
  /** Passes each piece of the answer on so much later, in milliseconds. */
  readonly lateMs?: number;
}

/** A proxy in front of an API server that speaks HTTP/2 as it does, and spoils some answers. */
export interface KubeProxy {
  readonly url: string;
  /** The authority of its certificate, which is for the name `kube.test`. */
  readonly ca: string;
  /** Paths with queries, in order. */
  readonly asked: string[];
  /** Decides about each request. */
  spoil: (path: string, method: string) => Mischief | undefined;
  /** Ends what runs. */
  cut(): void;
}

/** Starts it; it ends with the test. */
export async function startKubeProxy(t: Test, api: KubeApi): Promise<KubeProxy> {
  const authority = createAuthority();
  const certificate = authority.issue('kube.test');
  const server = http2.createSecureServer({ cert: certificate.cert, key: certificate.key });
  const upstream = http2.connect(api.url, { rejectUnauthorized: false });
  const streams = new Set<http2.ServerHttp2Stream>();
  const asked: string[] = [];
  server.on('stream', (stream, headers) => {
    const path = String(headers[':path']);
    asked.push(path);
    streams.add(stream);
    stream.on('close', () => streams.delete(stream));
    stream.on('error', () => {});
    pass(stream, headers, upstream, proxy.spoil(path, String(headers[':method'])));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: KubeProxy = {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ca: authority.cert,
    asked,
    spoil: () => undefined,
    cut() {
      for (const stream of streams) stream.close(http2.constants.NGHTTP2_CANCEL);
    },
  };
  t.teardown(() => {
    for (const stream of streams) stream.destroy();
    upstream.destroy();
    server.close();
    authority.close();
  });
  return proxy;
}

function pass(
  stream: http2.ServerHttp2Stream,
  headers: http2.IncomingHttpHeaders,
  upstream: http2.ClientHttp2Session,
  mischief: Mischief | undefined,
): void {
  if (mischief?.answer !== undefined) {
    const { status, body, retryAfter } = mischief.answer;
    stream.respond({ ':status': status, ...(retryAfter !== undefined && { 'retry-after': retryAfter }) });
    stream.end(body);
    return;
  }
  const { ':authority': _, ...rest } = headers;
  const asked = upstream.request(rest, { endStream: headers[':method'] === 'GET' });
  if (headers[':method'] !== 'GET') stream.pipe(asked);
  asked.on('error', () => stream.destroy());
  asked.on('response', ({ ':status': status, 'content-type': type }) => {
    if (!stream.closed) stream.respond({ ':status': status, 'content-type': type });
  });
  const { lateMs = 0, cutAfter = Number.POSITIVE_INFINITY } = mischief ?? {};
  let left = cutAfter;
  const later = (step: () => void) => void (lateMs === 0 ? step() : setTimeout(step, lateMs));
  asked.on('data', (chunk: Buffer) =>
    later(() => {
      if (stream.closed || left <= 0) return;
      stream.write(chunk.subarray(0, left));
      left -= chunk.length;
      if (left > 0) return;
      asked.close();
      stream.end();
    }),
  );
  asked.on('end', () => later(() => void (stream.closed || stream.end())));
  stream.on('close', () => asked.close());
}

/** Writes a kubeconfig of the administrator that leads through a proxy. */
export function proxyKubeconfig(api: KubeApi, proxy: KubeProxy): string {
  const file = join(api.folder, `kubeconfig-${new URL(proxy.url).port}`);
  const data = Buffer.from(proxy.ca).toString('base64');
  const cluster = { server: proxy.url, 'certificate-authority-data': data, 'tls-server-name': 'kube.test' };
  const config = {
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'c' },
    clusters: [{ name: 'k', cluster }],
    users: [{ name: 'u', user: { token: adminToken } }],
    contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
  };
  writeFileSync(file, JSON.stringify(config));
  return file;
}
