import { type ClientHttp2Session, connect } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { NodeScope } from '../../../src/model/node.ts';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';
import { encodeJson } from '../../../src/xds/codec/codec.ts';
import { clusterType } from '../../../src/xds/resource-types.ts';
import { eachChunk, field, readText, skip } from '../../../src/xds/wire/varint.ts';

const service = '/envoy.service.discovery.v3.AggregatedDiscoveryService';

/** Methods of ADS. */
export const methods = {
  delta: `${service}/DeltaAggregatedResources`,
  sotw: `${service}/StreamAggregatedResources`,
} as const;

/** A gRPC call over node:http2 that sends what bytes it is told to. */
export interface RawCall {
  /** Whether anything was answered, but for headers. */
  hasAnswer(): boolean;
  /** Bytes that wait to be taken by the connection. */
  waiting(): number;
  /** Lets the server send no more than fits into the windows. */
  pause(): void;
  /** Sends a message in its frame; resolves when it has gone out, or the call has ended. */
  send(message: Buffer, how?: 'plain' | 'gzip'): Promise<void>;
  /** Sends bytes as they are. */
  bytes(some: Buffer): Promise<void>;
  /** How it ended: the status and its words, or how the connection did. */
  readonly ended: Promise<string>;
  hasEnded(): boolean;
  /** Gives each message that comes, whole. */
  onMessage(take: (message: Buffer) => void): void;
  cancel(): void;
}

/** An HTTP/2 connection of a client. Its window is large: it reads what it is sent. */
export interface RawHttp2 {
  readonly session: ClientHttp2Session;
  /** Opens a call of a gRPC method; `headers` beside or instead of those that gRPC asks for. */
  call(path: string, headers?: Readonly<Record<string, string>>): RawCall;
  readonly ended: Promise<string>;
  close(): void;
}

/** Connects, from an address of loopback. */
export function openHttp2({ address, port }: ListenAddress, from = '127.0.0.1'): RawHttp2 {
  const session = connect(`http://${address}:${port}`, {
    settings: { initialWindowSize: 16 * 2 ** 20 },
    // What is kept on this side must not be what ends a call.
    ...{ maxSessionMemory: 4_000, peerMaxConcurrentStreams: 10_000 },
    createConnection: () => connectTcp({ host: address, port, localAddress: from }),
  });
  let goaway = 'closed';
  session.on('error', () => {});
  session.on('goaway', (code, _, words) => {
    if (goaway === 'closed') goaway = `GOAWAY ${code}: ${words === undefined ? '' : Buffer.from(words)}`;
  });
  const ended = new Promise<string>((resolve) => session.once('close', () => resolve(goaway)));
  return {
    session,
    ended,
    close: () => session.destroy(),
    call(path, headers = {}) {
      if (session.destroyed || session.closed) return deadCall(ended);
      const request = session.request({
        ...{ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' },
        'grpc-encoding': 'gzip',
        ...headers,
      });
      let said: string | undefined;
      const note = (headers: object) => {
        const {
          'grpc-status': code,
          'grpc-message': words,
          ':status': http,
        } = headers as Record<string, unknown>;
        if (code !== undefined) said = `status ${code}: ${decodeURIComponent(String(words ?? ''))}`;
        else if (http !== undefined && http !== 200) said = `HTTP ${http}`;
      };
      request
        .on('response', note)
        .on('trailers', note)
        .on('error', () => {});
      let done = false;
      const over = new Promise<string>((resolve) =>
        request.once('close', () => {
          done = true;
          resolve(said ?? (goaway === 'closed' ? `reset ${request.rstCode}` : goaway));
        }),
      );
      let kept: Buffer = Buffer.alloc(0);
      let hasAnswer = false;
      let take: ((message: Buffer) => void) | undefined;
      request.on('data', (chunk: Buffer) => {
        hasAnswer = true;
        if (take === undefined) return;
        kept = kept.length === 0 ? chunk : Buffer.concat([kept, chunk]);
        while (kept.length >= 5 && kept.length >= 5 + kept.readUInt32BE(1)) {
          const end = 5 + kept.readUInt32BE(1);
          take(kept.subarray(5, end));
          kept = kept.subarray(end);
        }
      });
      const bytes = async (some: Buffer) => {
        if (done || request.destroyed) return;
        await Promise.race([new Promise<void>((resolve) => request.write(some, () => resolve())), over]);
      };
      return {
        bytes,
        ended: over,
        hasEnded: () => done,
        hasAnswer: () => hasAnswer,
        waiting: () => request.writableLength,
        pause: () => void request.pause(),
        onMessage(fn) {
          take = fn;
        },
        cancel: () => request.close(8),
        send: (message, how = 'plain') => bytes(framed(how === 'gzip' ? gzipSync(message) : message, how)),
      };
    },
  };
}

function deadCall(ended: Promise<string>): RawCall {
  const nothing = async () => {};
  return {
    ...{ send: nothing, bytes: nothing, ended, hasEnded: () => true, hasAnswer: () => false },
    ...{ waiting: () => 0, pause() {}, onMessage() {}, cancel() {} },
  };
}

/** A message in its gRPC frame. */
export function framed(message: Buffer, how: 'plain' | 'gzip' = 'plain'): Buffer {
  const head = Buffer.alloc(5);
  head[0] = how === 'gzip' ? 1 : 0;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** What a client says of itself, as bytes of a Node; `scope` may be one that no control plane takes. */
export function nodeOf(id: string, scope: NodeScope | object): Buffer {
  return Buffer.from(
    encodeJson('envoy.config.core.v3.Node', { id, cluster: 'c', metadata: { isthmus: scope } }),
  );
}

/** A DeltaDiscoveryRequest. */
export function deltaRequest(what: {
  readonly node?: Buffer;
  readonly type?: string;
  readonly names?: readonly string[];
  readonly unsubscribe?: readonly string[];
  readonly nonce?: string;
  readonly error?: string;
  /** Fields that nobody knows, as bytes. */
  readonly more?: Buffer;
}): Buffer {
  return Buffer.concat([
    ...(what.node ? [field(1, what.node)] : []),
    field(2, what.type ?? clusterType),
    ...(what.names ?? []).map((name) => field(3, name)),
    ...(what.unsubscribe ?? []).map((name) => field(4, name)),
    ...(what.nonce === undefined ? [] : [field(6, what.nonce)]),
    ...(what.error === undefined ? [] : [field(7, field(2, what.error))]),
    ...(what.more ? [what.more] : []),
  ]);
}

/** A DiscoveryRequest. */
export function sotwRequest(what: {
  readonly node?: Buffer;
  readonly type?: string;
  readonly names?: readonly string[];
  readonly nonce?: string;
  readonly error?: string;
}): Buffer {
  return Buffer.concat([
    ...(what.node ? [field(2, what.node)] : []),
    ...(what.names ?? []).map((name) => field(3, name)),
    field(4, what.type ?? clusterType),
    ...(what.nonce === undefined ? [] : [field(5, what.nonce)]),
    ...(what.error === undefined ? [] : [field(6, field(2, what.error))]),
  ]);
}

/** What a client reads of a DeltaDiscoveryResponse to answer it. */
export function readResponse(bytes: Buffer): { readonly type: string; readonly nonce: string } {
  let [type, nonce] = ['', ''];
  eachChunk(bytes, 'a Delta response', (id, cursor) => {
    if (id === 4) type = readText(cursor);
    else if (id === 5) nonce = readText(cursor);
    // Resources are many, and none of the fields that are not known.
    else skip(cursor, 2);
    return true;
  });
  return { type, nonce };
}

/** Names, all different. */
export function namesOf(count: number, prefix: string): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
}
