import { rmSync } from 'node:fs';
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { systemClock } from '../base/clock.ts';
import { openUpstreamLog, type UpstreamOptions } from './upstream.ts';

const bytes = { serialize: (value: Buffer) => value, deserialize: (value: Buffer) => value };

/** A service without a .proto: messages are opaque bytes. `Say` echoes; `Watch` streams the bytes back, N times, twice a second. */
export const echoService = {
  Say: method('/drill.Echo/Say', false),
  Watch: method('/drill.Echo/Watch', true),
} satisfies ServiceDefinition;

function method(path: string, responseStream: boolean) {
  return {
    path,
    requestStream: false,
    responseStream,
    requestSerialize: bytes.serialize,
    requestDeserialize: bytes.deserialize,
    responseSerialize: bytes.serialize,
    responseDeserialize: bytes.deserialize,
  };
}

/** Starts an instance that speaks gRPC instead of HTTP/1.1; otherwise as `startUpstream`. `Watch` reads N from the metadata `x-drill-count`. */
export function startGrpcUpstream(options: UpstreamOptions): Promise<Server> {
  const log = openUpstreamLog(options.logFile);
  rmSync(options.socketPath, { force: true });
  const server = new Server();
  const note = (path: string, metadata: Metadata): void => {
    const leaked = Object.keys(metadata.getMap()).filter((name) => name.startsWith('x-isthmus-'));
    log.append({ id: String(metadata.get('x-drill-id')[0] ?? ''), method: 'POST', path, leaked });
  };
  const handlers = {
    Say(call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) {
      note('/drill.Echo/Say', call.metadata);
      done(null, call.request);
    },
    Watch(call: ServerWritableStream<Buffer, Buffer>) {
      note('/drill.Echo/Watch', call.metadata);
      let left = Number(call.metadata.get('x-drill-count')[0] ?? 1);
      const next = () => {
        if (call.cancelled) return;
        if (left-- <= 0) {
          call.end();
          return;
        }
        call.write(call.request);
        systemClock.after(500, next);
      };
      next();
    },
  };
  server.addService(echoService, handlers);
  return new Promise((resolve, reject) => {
    server.bindAsync(`unix:${options.socketPath}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(server),
    );
  });
}
