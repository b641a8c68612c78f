import { rmSync } from 'node:fs';
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { answerPieces, type Call, callHeader, callMessage, parseCall, receivedHeader } from '../call/call.ts';
import { digestOf } from '../call/payload.ts';
import { machineClock } from '../time.ts';
import type { UpstreamOptions } from './upstream.ts';
import { openUpstreamLog } from './upstream-log.ts';

const bytes = { serialize: (value: Buffer) => value, deserialize: (value: Buffer) => value };

/**
 * A service without a .proto: messages are opaque bytes. `Say` echoes, or answers as its call asks. `Watch`
 * streams the bytes back N times, twice a second, or as its call asks. `Chat` echoes each message of a
 * stream.
 */
export const echoService = {
  Say: method('/drill.Echo/Say', false, false),
  Watch: method('/drill.Echo/Watch', false, true),
  Chat: method('/drill.Echo/Chat', true, true),
} satisfies ServiceDefinition;

/** The standard health service (grpc.health.v1.Health), as far as proxies use it. */
const healthService = {
  Check: method('/grpc.health.v1.Health/Check', false, false),
} satisfies ServiceDefinition;

function method(path: string, requestStream: boolean, responseStream: boolean) {
  return {
    path,
    requestStream,
    responseStream,
    requestSerialize: bytes.serialize,
    requestDeserialize: bytes.deserialize,
    responseSerialize: bytes.serialize,
    responseDeserialize: bytes.deserialize,
  };
}

/**
 * Starts an instance that speaks gRPC instead of HTTP/1.1; otherwise as `startUpstream`. `Watch` reads N from
 * the metadata `x-drill-count`.
 */
export function startGrpcUpstream(options: UpstreamOptions): Promise<Server> {
  const log = openUpstreamLog(options.logFile);
  rmSync(options.socketPath, { force: true });
  const server = new Server({ 'grpc.max_receive_message_length': -1 });
  server.addService(echoService, echoHandlers(options, log));
  server.addService(healthService, {
    // SERVING, as HealthCheckResponse has it on the wire: field 1, value 1.
    Check: (_: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) =>
      done(null, Buffer.from([0x08, 1])),
  });
  return new Promise((resolve, reject) => {
    server.bindAsync(`unix:${options.socketPath}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(server),
    );
  });
}

type UpstreamLog = ReturnType<typeof openUpstreamLog>;

/** Logs the start of a call; `end` logs how it ended. */
function beginCall(log: UpstreamLog, path: string, metadata: Metadata) {
  const leaked = Object.keys(metadata.getMap()).filter((name) => name.startsWith('x-isthmus-'));
  const id = text(metadata, 'x-drill-id');
  return {
    id,
    call: parseCall(text(metadata, callHeader)),
    end: log.begin({ id, method: 'POST', path, leaked }),
  };
}

function identityOf({ instance, idc }: UpstreamOptions, received?: Iterable<Buffer>): Metadata {
  const own = new Metadata();
  own.set('x-drill-instance', instance);
  own.set('x-drill-idc', idc);
  if (received) own.set(receivedHeader, digestOf(received));
  return own;
}

function echoHandlers(options: UpstreamOptions, log: UpstreamLog) {
  return {
    Say(stream: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) {
      const { id, call, end } = beginCall(log, '/drill.Echo/Say', stream.metadata);
      stream.sendMetadata(identityOf(options, [stream.request]));
      machineClock.after(call?.workMs ?? 0, () => {
        const answer = call ? Buffer.concat([...answerPieces(call, id)]) : stream.request;
        done(null, answer);
        end({ answered: !stream.cancelled, received: stream.request.length, sent: answer.length });
      });
    },
    Watch(stream: ServerWritableStream<Buffer, Buffer>) {
      const { id, call, end } = beginCall(log, '/drill.Echo/Watch', stream.metadata);
      stream.sendMetadata(identityOf(options, [stream.request]));
      const messages = messagesOf(call, id, stream.request, Number(text(stream.metadata, 'x-drill-count')));
      let sent = 0;
      let message = messages.next();
      const next = () => {
        if (!message.done && !stream.cancelled) {
          sent += message.value.length;
          stream.write(message.value);
          message = messages.next();
          if (!message.done) return void machineClock.after(call?.everyMs ?? 500, next);
        }
        stream.end();
        end({ answered: !stream.cancelled, received: stream.request.length, sent });
      };
      next();
    },
    Chat(stream: ServerDuplexStream<Buffer, Buffer>) {
      const { end } = beginCall(log, '/drill.Echo/Chat', stream.metadata);
      stream.sendMetadata(identityOf(options));
      let received = 0;
      const over = (answered: boolean) => end({ answered, received, sent: received });
      stream.on('data', (message: Buffer) => {
        received += message.length;
        stream.write(message);
      });
      stream.on('end', () => {
        stream.end();
        over(true);
      });
      stream.on('cancelled', () => over(false));
      stream.on('error', () => over(false));
    },
  };
}

function text(metadata: Metadata, name: string): string {
  return String(metadata.get(name)[0] ?? '');
}

function* messagesOf(call: Call | undefined, id: string, echo: Buffer, count: number): Generator<Buffer> {
  for (let n = 0; n < (call?.pieces ?? (count || 1)); n += 1)
    yield call ? Buffer.from(callMessage(id, n)) : echo;
}
