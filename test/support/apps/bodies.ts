import { createServer, request, type Server } from 'node:http';
import { connect, createServer as createHttp2Server } from 'node:http2';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';

/** What a request with a body came to. */
export interface Sent {
  /** 0: the connection broke. */
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** A request with a body of so many bytes. */
export interface Upload {
  readonly host: string;
  readonly method?: string;
  readonly bytes: number;
  /** Without a length: chunked. */
  readonly chunked?: boolean;
}

const broken = (error: Error): Sent => ({ status: 0, body: error.message, headers: {} });

/** Sends it over HTTP/1.1, on a connection of its own. */
export function upload(to: ListenAddress, { host, method = 'POST', bytes, chunked }: Upload): Promise<Sent> {
  return new Promise((resolve) => {
    const length = chunked ? {} : { 'content-length': bytes };
    const sent = request(
      { host: to.address, port: to.port, path: '/up', method, headers: { host, ...length }, agent: false },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (data) => {
          body += data;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body, headers: response.headers }),
        );
        response.on('error', (error) => resolve(broken(error)));
      },
    );
    sent.on('error', (error) => resolve(broken(error)));
    writeAll(sent, bytes);
  });
}

/**
 * Sends it over HTTP/2; with a content type of gRPC where `grpc`. The body of a trailers-only answer is its
 * grpc-message.
 */
export function uploadHttp2(
  to: ListenAddress,
  { host, method = 'POST', bytes }: Upload,
  grpc = false,
): Promise<Sent & { readonly grpcStatus: string | undefined }> {
  const session = connect(`http://${to.address}:${to.port}`);
  return new Promise<Sent & { grpcStatus: string | undefined }>((resolve) => {
    let headers: Record<string, string | string[] | undefined> = {};
    let grpcStatus: string | undefined;
    let status = 0;
    let body = '';
    const fail = (error: Error) => resolve({ ...broken(error), grpcStatus });
    session.on('error', fail);
    const stream = session.request({
      ':method': method,
      ':path': '/up',
      ':authority': host,
      ...(grpc ? { 'content-type': 'application/grpc', te: 'trailers' } : {}),
    });
    const take = (some: Record<string, unknown>) => {
      grpcStatus = (some['grpc-status'] as string | undefined) ?? grpcStatus;
    };
    stream.on('response', (found) => {
      headers = found as typeof headers;
      status = Number(found[':status']);
      take(found);
    });
    stream.on('trailers', take);
    stream.setEncoding('utf8').on('data', (data) => {
      body += data;
    });
    stream.on('error', fail);
    stream.on('close', () => resolve({ status, body, headers, grpcStatus }));
    writeAll(stream, bytes);
  }).finally(() => session.destroy());
}

/** Writes as the other side takes it, so that a body of any size costs no memory. */
function writeAll(to: NodeJS.WritableStream, bytes: number): void {
  const piece = Buffer.alloc(Math.min(bytes, 65_536), 'isthmus ');
  let left = bytes;
  const go = () => {
    while (left > 0) {
      const next = left < piece.length ? piece.subarray(0, left) : piece;
      left -= next.length;
      if (!to.write(next)) {
        to.once('drain', go);
        return;
      }
    }
    to.end();
  };
  go();
}

/**
 * An instance that answers the number of bytes that it got, over HTTP/1.1 or, with gRPC's trailers, over
 * HTTP/2.
 */
export async function startSink(at: ListenAddress, protocol: 'http1' | 'http2' = 'http1'): Promise<Server> {
  const server =
    protocol === 'http1'
      ? createServer((request, response) => {
          let bytes = 0;
          request.on('data', (data: Buffer) => {
            bytes += data.length;
          });
          request.on('end', () => response.end(String(bytes)));
        })
      : (createHttp2Server().on('stream', (stream, headers) => {
          let bytes = 0;
          stream.on('error', () => {});
          stream.on('data', (data: Buffer) => {
            bytes += data.length;
          });
          stream.on('end', () => {
            const type = String(headers['content-type'] ?? 'text/plain');
            stream.respond({ ':status': 200, 'content-type': type }, { waitForTrailers: true });
            stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
            stream.end(String(bytes));
          });
        }) as unknown as Server);
  await new Promise<void>((resolve) => server.listen(at.port, at.address, resolve));
  return server;
}
