import { Client, status as codes, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { Clock } from '../../../base/clock.ts';
import type { ListenAddress } from '../../../model/values/listen-address.ts';
import { bodyOf, type Call, callHeader, callMessage, receivedHeader } from '../../call/call.ts';
import { createDigest } from '../../call/payload.ts';
import { echoService } from '../../upstream/upstream-grpc.ts';
import type { TargetPicker } from '../load-target.ts';
import { type Caller, createGapMeter, type LoadJob, type LoadResult } from './load-caller.ts';
import { differenceOf } from './load-http.ts';

type Finish = (result: Omit<LoadResult, 'target' | 'connectedAt'>) => void;

/**
 * Makes gRPC calls, of `echoService`, with the gRPC library's own client, its retries off. An `OK` counts as
 * status 200.
 */
export function createGrpcCaller(picker: TargetPicker, clock: Clock): Caller {
  const clients = new Map<string, Client>();
  const clientFor = ({ address, port }: ListenAddress, host: string): Client => {
    const key = `${address}:${port} ${host}`;
    const found = clients.get(key);
    if (found) return found;
    const client = new Client(`${address}:${port}`, credentials.createInsecure(), {
      'grpc.default_authority': host,
      'grpc.enable_retries': 0,
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
    });
    clients.set(key, client);
    return client;
  };
  return {
    make({ id, host, call }: LoadJob, done) {
      if (!call) throw new RangeError('a gRPC call needs a call');
      const target = picker.order(clock.now())[0] as ListenAddress;
      const client = clientFor(target, host);
      let finished = false;
      const finish: Finish = (result) => {
        if (finished) return;
        finished = true;
        done({ ...result, target: `${target.address}:${target.port}`, connectedAt: sentAt });
      };
      const metadata = new Metadata();
      metadata.set('x-drill-id', id);
      metadata.set(callHeader, JSON.stringify(call));
      const sentAt = clock.now();
      const make = call.kind === 'grpc' ? say : call.kind === 'grpc-chat' ? chat : watch;
      return make(client, metadata, id, call, clock, finish);
    },
    close() {
      for (const client of clients.values()) client.close();
    },
  };
}

type Make = (
  client: Client,
  metadata: Metadata,
  id: string,
  call: Call,
  clock: Clock,
  finish: Finish,
) => () => void;

const whoOf = (metadata: Metadata | undefined) => ({
  idc: String(metadata?.get('x-drill-idc')[0] ?? ''),
  instance: String(metadata?.get('x-drill-instance')[0] ?? ''),
});

const errorOf = ({ code, details }: Pick<ServiceError, 'code' | 'details'>) =>
  `gRPC ${codes[code] ?? code}: ${details}`;

const say: Make = (client, metadata, id, call, _clock, finish) => {
  const { path, requestSerialize, responseDeserialize } = echoService.Say;
  let head: Metadata | undefined;
  const body = Buffer.concat([...bodyOf(call, id)]);
  const made = client.makeUnaryRequest(
    path,
    requestSerialize,
    responseDeserialize,
    body,
    metadata,
    (error, answer) => {
      if (error) return finish({ status: 0, ...whoOf(head), error: errorOf(error) });
      const digest = createDigest();
      digest.add(answer as Buffer);
      const received = String(head?.get(receivedHeader)[0] ?? '');
      const wrong = differenceOf(call, id, received, digest.text());
      finish({ status: wrong ? 0 : 200, ...whoOf(head), error: wrong });
    },
  );
  made.on('metadata', (own: Metadata) => {
    head = own;
  });
  return () => made.cancel();
};

/** Messages come, one every `everyMs`. */
const watch: Make = (client, metadata, id, call, clock, finish) => {
  const { path, requestSerialize, responseDeserialize } = echoService.Watch;
  const made = client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    Buffer.from(id),
    metadata,
  );
  return listen(made, id, call, clock, finish).cancel;
};

/** Messages go, one every `everyMs`, and come back. */
const chat: Make = (client, metadata, id, call, clock, finish) => {
  const { path, requestSerialize, responseDeserialize } = echoService.Chat;
  const made = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata);
  const listening = listen(made, id, call, clock, finish);
  let said = 0;
  const next = () => {
    if (listening.over()) return;
    made.write(Buffer.from(callMessage(id, said++)));
    if (said < call.pieces) clock.after(call.everyMs, next);
    else made.end();
  };
  next();
  return listening.cancel;
};

/** What a stream that is read must do: all messages in order, then `OK`. */
function listen(
  stream: NodeJS.ReadableStream & { cancel(): void },
  id: string,
  call: Call,
  clock: Clock,
  finish: Finish,
): { over(): boolean; cancel(): void } {
  const gap = createGapMeter(() => clock.now());
  let head: Metadata | undefined;
  let [heard, over] = [0, false];
  const end = (error: string) => {
    over = true;
    const begun = head ? 200 : 0;
    finish({ status: begun, ...whoOf(head), error, gapMs: gap.longestMs });
  };
  stream.on('metadata', (own: Metadata) => {
    head = own;
    gap.mark();
  });
  stream.on('data', (message: Buffer) => {
    gap.mark();
    if (message.toString() !== callMessage(id, heard)) end(`message ${heard} came as another`);
    heard += 1;
  });
  stream.on('error', (error: Error) => end(errorOf(error as ServiceError)));
  stream.on('end', () => {
    // What ends without `OK` is an error, which comes as one.
  });
  stream.on('status', ({ code, details }: Pick<ServiceError, 'code' | 'details'>) => {
    if (code !== codes.OK) end(errorOf({ code, details }));
    else end(heard === call.pieces ? '' : `${heard} of ${call.pieces} messages`);
  });
  return {
    over: () => over,
    cancel: () => stream.cancel(),
  };
}
