import { constants, type ServerHttp2Stream } from 'node:http2';
import { Server, ServerCredentials, type ServerInterceptor, status } from '@grpc/grpc-js';
import { type Clock, sleep } from '../base/clock.ts';
import type { MeshError } from '../base/error.ts';
import type { Admission } from './admission.ts';
import {
  type AdmissionLevels,
  type AdmissionLimits,
  admissionLimits,
  type TurnedAway,
} from './admission-limits.ts';
import type { BudgetLimits } from './budget.ts';
import type { Peer } from './events.ts';
import { collectWhatWasRead } from './garbage.ts';
import { handOver } from './handover.ts';
import { type IntakeLimits, Intakes, intakeLimits } from './intake.ts';
import { Keepalive, type KeepaliveTimes, watchSession } from './keepalive.ts';
import { openListener } from './listener.ts';
import { type Call, openMessages, sessionOf, streamOf } from './messages.ts';
import { type PaceLimits, Paces, paceLimits } from './pace.ts';

/** One stream as the server above it sees it: bytes in, bytes out. A unary call is a stream of one message each way. */
export interface Stream {
  readonly peer: Peer;
  write(bytes: Buffer): void;
  /** Ends the stream: all was said. */
  end(): void;
  /** Bytes that were written and have not gone out: the client does not read them. */
  unreadBytes(): number;
  /** Calls `fn` once all of them have. */
  whenRead(fn: () => void): void;
  /** Ends the stream with an error that the client sees. */
  refuse(error: MeshError): void;
  /** The client has said who it is: it may send longer messages. */
  known(): void;
  /** Its requests are dear, however short they are: they wait in line where many are. */
  dear(): void;
}

/** What the server above does with a stream. */
export interface StreamHandler {
  /** `bytes` are good until this returns. */
  receive(bytes: Buffer): void;
  /** The stream is refused, by `Stream.refuse` or for what its client leaves unfinished; `closed` follows. */
  refused?(error: MeshError): void;
  /** The client will ask no more, and may still wait for answers. Without it, that ends the stream. */
  halfClosed?(): void;
  closed(): void;
}

/** What serves the streams of each method, by its path: `/SERVICE/METHOD`. */
export type Services = ReadonlyMap<string, (stream: Stream) => StreamHandler>;

/** Certificates in PEM: the server's own, and the authorities that clients must be signed by. */
export interface TlsOptions {
  readonly certificate: string | Uint8Array;
  readonly privateKey: string | Uint8Array;
  /** With it, a client without an accepted certificate is refused in the handshake. */
  readonly clientCa?: string | Uint8Array;
}

/** A gRPC server that listens. */
export interface Listening {
  readonly port: number;
  /** How full it is. */
  levels(): Levels;
  /** Takes no more connections, and ends those that have streams one after another, within `overMs`; see `handOver`. */
  handOver(overMs: number): Promise<void>;
  /** Lets streams go on for `graceMs` at most, then ends them. */
  close(graceMs: number): Promise<void>;
}

/** What clients may do; what is absent is as docs/xds.md states. */
export interface XdsLimits {
  readonly admission?: Partial<AdmissionLimits>;
  readonly pace?: Partial<PaceLimits>;
  readonly intake?: Partial<IntakeLimits>;
  readonly budget?: Partial<BudgetLimits>;
}

/** What limits are there for, as it is now. */
export interface Levels extends AdmissionLevels {
  /** Bytes of unfinished messages. */
  readonly unfinishedBytes: number;
  /** Connections that were dropped since the start as nothing came on them any more. */
  readonly silentTotal: number;
  /** Connections whose requests wait for their share of the processor, and how often one did. */
  readonly paced: number;
  readonly pacedTotal: number;
}

// A half-open connection is noticed within 5 + 8 + 2 s; the project's bound is 15 s.
const keepaliveTimes: KeepaliveTimes = { quietMs: 5_000, answerMs: 8_000 };
// grpc-js's own pings, for connections that never have a stream: nothing but the answer is a sign of life to them.
const idleKeepaliveMs = 60_000;
// A connection that has had no stream for so long is closed: a client that wants one opens it at once.
const unusedConnectionMsMax = 300_000;

/**
 * Serves gRPC on `address` (`host:port`; port 0 takes a free one). Messages stay bytes: what they mean is
 * none of gRPC's business. `below` stands between that and the wire (for tests). Throws MeshError 'unavailable' when the address cannot be bound.
 */
export async function listen(
  address: string,
  tls: TlsOptions | undefined,
  clock: Clock,
  services: Services,
  more: {
    readonly below?: readonly ServerInterceptor[];
    readonly limits?: XdsLimits;
    turnedAway?(one: TurnedAway): void;
  } = {},
): Promise<Listening> {
  const { below = [], limits = {}, turnedAway = () => {} } = more;
  const admitted = { ...admissionLimits, ...limits.admission };
  const taken = { ...intakeLimits, ...limits.intake };
  const server = new Server({
    'grpc.keepalive_time_ms': idleKeepaliveMs,
    'grpc.keepalive_timeout_ms': idleKeepaliveMs,
    'grpc.max_connection_idle_ms': unusedConnectionMsMax,
    // Where it is not read here (`messages.ts`).
    'grpc.max_receive_message_length': taken.messageBytesMax,
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': admitted.connectionStreamsMax,
    // Counters of each call and connection for a debugging service that is not offered here.
    'grpc.enable_channelz': 0,
    interceptors: [...below],
  });
  const calls = new Set<Call>();
  const keepalive = new Keepalive(clock, keepaliveTimes);
  const wasRead = collectWhatWasRead();
  const intakes = new Intakes(clock, taken);
  const paces = new Paces(clock, { ...paceLimits, ...limits.pace });
  const handle = (open: (stream: Stream) => StreamHandler) => (call: Call) => {
    calls.add(call);
    call.once('close', () => calls.delete(call));
    const session = sessionOf(call);
    if (session !== undefined) watchSession(keepalive, session);
    serveCall(call, open, { clock, intakes, paces, wasRead, admission: () => listener.admission });
  };
  const bidi = (path: string) => ({
    path,
    requestStream: true,
    responseStream: true,
    requestSerialize: (bytes: Buffer) => bytes,
    requestDeserialize: (bytes: Buffer) => bytes,
    responseSerialize: (bytes: Buffer) => bytes,
    responseDeserialize: (bytes: Buffer) => bytes,
  });
  const paths = [...services];
  server.addService(
    Object.fromEntries(paths.map(([path]) => [path, bidi(path)])) as never,
    Object.fromEntries(paths.map(([path, open]) => [path, handle(open)])) as never,
  );
  const listener = await openListener(server, credentials(tls), address, {
    ...{ clock, turnedAway, limits: admitted },
  });
  return {
    port: listener.port,
    levels: () => ({
      ...listener.admission.levels(),
      ...{ unfinishedBytes: intakes.bytes, paced: paces.waiting, pacedTotal: paces.waits },
      silentTotal: keepalive.dropped,
    }),
    async handOver(overMs) {
      listener.stop();
      const connections = [...calls].map((call) => sessionOf(call));
      await handOver(departures(calls), overMs, clock);
      // What the last were told has to go out: a connection that was closed ends behind it.
      const isThere = () => connections.some((one) => one?.destroyed === false);
      for (let looks = 0; looks < 50 && isThere(); looks += 1) await sleep(clock, 20);
    },
    async close(graceMs) {
      listener.stop();
      await close(server, calls, clock, graceMs);
      listener.admission.destroy();
    },
  };
}

function serveCall(
  call: Call,
  open: (stream: Stream) => StreamHandler,
  reading: {
    readonly clock: Clock;
    readonly intakes: Intakes;
    readonly paces: Paces;
    wasRead(bytes: number): void;
    admission(): Admission;
  },
): void {
  let ended = false;
  const end = () => {
    if (ended) return;
    ended = true;
    intake.close();
    messages.stop();
    handler.closed();
  };
  const refuse = (error: MeshError) => {
    if (ended) return;
    handler.refused?.(error);
    end();
    if (http !== undefined) closeUnread(http, reading.clock);
    call.emit('error', { code: statusOf(error), details: error.message });
  };
  const finish = () => {
    end();
    call.end();
  };
  let isDear = false;
  const http = streamOf(call);
  const connection = sessionOf(call) ?? call;
  const intake = reading.intakes.open(connection, refuse);
  const counter = reading.admission().usefulOf(http);
  const messages = openMessages(call, {
    receive: (bytes) => {
      if (!ended) handler.receive(bytes);
    },
    wasRead(bytes) {
      reading.wasRead(bytes);
      if (counter !== undefined) counter.useful += bytes;
    },
    refuse,
    intake,
    pace: reading.paces.of(connection),
    isDear: () => isDear,
  });
  const certificate = call.getAuthContext().sslPeerCertificate?.raw;
  const handler = open({
    peer: { address: call.getPeer(), ...(certificate && { certificate }) },
    unreadBytes: () => messages.unreadBytes(),
    whenRead: (fn) => messages.whenRead(fn),
    write(bytes) {
      if (!ended) messages.write(bytes);
    },
    end: finish,
    refuse,
    known() {
      intake.known();
      reading.admission().settled(http);
    },
    dear() {
      isDear = true;
    },
  });
  const halfClosed = () => {
    if (!ended && handler.halfClosed !== undefined) handler.halfClosed();
    else finish();
  };
  call.on('end', () => messages.whenTaken(halfClosed));
  for (const event of ['cancelled', 'error', 'close']) call.on(event, end);
}

// For a client that does not read why it is refused.
const refusalMsMax = 10_000;

/** Closes a stream that has been refused, where its client does not read that: else it would stay as long as its connection. */
function closeUnread(http: ServerHttp2Stream, clock: Clock): void {
  const timer = clock.after(refusalMsMax, () => http.close(constants.NGHTTP2_ENHANCE_YOUR_CALM));
  http.once('close', () => timer.cancel());
}

function statusOf(error: MeshError): status {
  if (error.code === 'invalid') return status.INVALID_ARGUMENT;
  if (error.code === 'unsupported') return status.INVALID_ARGUMENT;
  if (error.code === 'not-found') return status.NOT_FOUND;
  if (error.code === 'exhausted') return status.RESOURCE_EXHAUSTED;
  if (error.code === 'late') return status.DEADLINE_EXCEEDED;
  if (error.code === 'unavailable') return status.UNAVAILABLE;
  return error.code === 'conflict' ? status.PERMISSION_DENIED : status.INTERNAL;
}

function credentials(tls: TlsOptions | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const pair = { cert_chain: Buffer.from(tls.certificate), private_key: Buffer.from(tls.privateKey) };
  const ca = tls.clientCa === undefined ? null : Buffer.from(tls.clientCa);
  return ServerCredentials.createSsl(ca, [pair], ca !== null);
}

/** What ends each connection: the status of its streams, and GOAWAY, so that its client opens none on it again. */
function departures(calls: ReadonlySet<Call>): (() => void)[] {
  const byConnection = new Map<object, Call[]>();
  for (const call of calls) {
    const connection = sessionOf(call) ?? call;
    byConnection.set(connection, [...(byConnection.get(connection) ?? []), call]);
  }
  return [...byConnection.values()].map((own) => () => {
    for (const call of own) call.emit('error', { code: status.UNAVAILABLE, details: goingAway });
    const [first] = own;
    if (first !== undefined) sessionOf(first)?.close();
  });
}

const goingAway = 'this server is going away: connect again';

/** Ends the streams, which clients take up again elsewhere, and waits until the connections are gone. */
function close(server: Server, calls: Set<Call>, clock: Clock, graceMs: number): Promise<void> {
  // The clock's timers let a process end; one that waits for this must not end before it is done.
  const alive = new MessageChannel();
  alive.port1.ref();
  return new Promise((resolve) => {
    const done = () => {
      force.cancel();
      alive.port1.close();
      resolve();
    };
    const force = clock.after(graceMs, () => {
      server.forceShutdown();
      done();
    });
    server.tryShutdown(done);
    for (const call of calls) call.emit('error', { code: status.UNAVAILABLE, details: 'server is closing' });
  });
}
