import { Client, type ClientReadableStream, credentials, type StatusObject } from '@grpc/grpc-js';

const bytes = (buffer: Buffer) => buffer;

/** Calls gRPC methods with bytes, on one connection. */
export interface RawClient {
  /** One request, one answer. Rejects with grpc-js's error. */
  unary(path: string, request?: Uint8Array): Promise<Buffer>;
  /** One request, after which the client says no more; the answers as they come, and the end. */
  stream(path: string, request?: Uint8Array): { next(): Promise<Buffer>; ended: Promise<StatusObject> };
  close(): void;
}

/** Connects to `host:port`. */
export function connectRaw(address: string): RawClient {
  const client = new Client(address, credentials.createInsecure(), { 'grpc.max_receive_message_length': -1 });
  return {
    unary: (path, request = Buffer.alloc(0)) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(path, bytes, bytes, Buffer.from(request), (error, answer) =>
          error === null ? resolve(answer as Buffer) : reject(error),
        );
      }),
    stream(path, request = Buffer.alloc(0)) {
      const call: ClientReadableStream<Buffer> = client.makeServerStreamRequest(
        path,
        bytes,
        bytes,
        Buffer.from(request),
      );
      call.on('error', () => {});
      const ended = new Promise<StatusObject>((resolve) => call.on('status', resolve));
      const answers = call[Symbol.asyncIterator]();
      return { ended, next: async () => (await answers.next()).value as Buffer };
    },
    close: () => client.close(),
  };
}
