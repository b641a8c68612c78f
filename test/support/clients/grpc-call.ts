import { Client, type ClientReadableStream, credentials, type StatusObject } from '@grpc/grpc-js';

const bytes = (buffer: Buffer) => buffer;

/** Calls gRPC methods with bytes, on one connection. */
export interface RawClient {
  /** One request, one answer. Rejects with grpc-js's error. */
  unary(path: string, request?: Uint8Array): Promise<Buffer>;
  /** One request, after which the client says no more; the answers as they come, and the end. */
  stream(path: string, request?: Uint8Array): { next(): Promise<Buffer>; ended: Promise<StatusObject> };
  /** One request on a stream that stays open; its answers as they come. */
  open(path: string, request: Uint8Array): { next(): Promise<Buffer> };
  close(): void;
}

/** Connects to `host:port`. */
export function connectRaw(address: string): RawClient {
  const options = { 'grpc.use_local_subchannel_pool': 1, 'grpc.max_receive_message_length': -1 };
  const client = new Client(address, credentials.createInsecure(), options);
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
      const ended = new Promise<StatusObject>((resolve) => call.on('status', resolve));
      return { ended, next: answersOf(call) };
    },
    open(path, request) {
      const call = client.makeBidiStreamRequest(path, bytes, bytes);
      call.write(Buffer.from(request));
      return { next: answersOf(call) };
    },
    close: () => client.close(),
  };
}

/** Gives the answers of a call one by one, those that came before its end too. */
function answersOf(call: ClientReadableStream<Buffer>): () => Promise<Buffer> {
  const arrived: Promise<Buffer>[] = [];
  let next = Promise.withResolvers<Buffer>();
  arrived.push(next.promise);
  call.on('data', (answer: Buffer) => {
    next.resolve(answer);
    next = Promise.withResolvers();
    arrived.push(next.promise);
  });
  call.on('error', (error) => {
    // Nobody may be waiting.
    next.promise.catch(() => {});
    next.reject(error);
  });
  return () => arrived.shift() ?? Promise.reject(new Error('the stream has ended'));
}
