import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import { type Clock, keepProcess, sleep } from '../../base/clock.ts';
import type { MeshError, MeshErrorCode } from '../../base/error.ts';
import { safeExcerpt } from '../../base/text/safe-excerpt.ts';
import type { Admission } from '../admission/admission.ts';
import {
  type AdmissionLevels,
  type AdmissionLimits,
  admissionLimits,
  type TurnedAway,
} from '../admission/admission-limits.ts';
import type { BudgetLimits } from '../admission/budget.ts';
import { Paces } from '../admission/pace.ts';
import { type PaceLimits, paceLimits } from '../admission/pace-limits.ts';
import type { Peer } from '../events.ts';
import type { Slices } from '../slices.ts';
import { GrpcCall, grpcStatus, isGrpc, refuseOther } from './call.ts';
import { type Messages, openMessages } from './call-messages.ts';
import { type ConnectionAge, ConnectionAges } from './connection-age.ts';
import { handOver } from './handover.ts';
import { type Intake, type IntakeLimits, Intakes, intakeLimits } from './intake.ts';
import { SessionKeepalive } from './keepalive.ts';
import { openListener, type TlsOptions } from './listener.ts';
import { closeUnread, ReadDeadline } from './read-deadline.ts';
import { collectWhatWasRead } from './young-memory.ts';

/** A stream as its handler sees it: bytes in, bytes out. A unary call is a stream of one message each way. */
export interface Stream {
  readonly peer: Peer;
  write(bytes: Buffer): void;
  /** Calls `work`, and passes what that writes to the connection at once. */
  together(work: () => void): void;
  /** Ends the stream with OK. */
  end(): void;
  /** Bytes written and not yet taken by the client. */
  unreadBytes(): number;
  /** Calls `fn` once all of them are. */
  whenRead(fn: () => void): void;
  /** So many of the bytes written must be read in time, else the stream is reset; see `ReadDeadline`. */
  expectRead(bytes: number): void;
  /** Ends the stream with an error. */
  refuse(error: MeshError): void;
  /**
   * Runs a request's work in slices, between those of other streams, before anything else is read from the
   * stream.
   */
  inSlices(work: Slices): void;
  /** The client's node is known: longer messages are allowed. */
  known(): void;
  /** Its requests count as heavy, however short they are. */
  dear(): void;
}

/** The handler of a stream. */
export interface StreamHandler {
  /** `bytes` are valid until this returns, and the work given to `Stream.inSlices` is done. */
  receive(bytes: Buffer): void;
  /** The stream is refused, by `Stream.refuse` or by a limit; `closed` follows. */
  refused?(error: MeshError): void;
  /** The client sends no more requests, and may wait for responses. If absent, this ends the stream. */
  halfClosed?(): void;
  closed(): void;
}

/** Stream handlers by method path: `/SERVICE/METHOD`. */
export type Services = ReadonlyMap<string, (stream: Stream) => StreamHandler>;

/** A listening gRPC server. */
export interface Listening {
  readonly port: number;
  /** Current levels. */
  levels(): Levels;
  /** Takes another certificate, key and authorities; see `XdsServer.updateTls`. */
  updateTls(tls: TlsOptions): void;
  /** Lets requests that ask for much wait, until it is called with false. */
  holdLarge(isHeld: boolean): void;
  /**
   * Stops accepting, and closes connections with streams one after another, within `overMs`; see `handOver`.
   */
  handOver(overMs: number): Promise<void>;
  /** Lets streams go on for at most `graceMs`, then ends them. */
  close(graceMs: number): Promise<void>;
}

/** Limits for clients; docs/xds.md states the defaults. */
export interface XdsLimits {
  readonly admission?: Partial<AdmissionLimits>;
  readonly pace?: Partial<PaceLimits>;
  readonly intake?: Partial<IntakeLimits>;
  readonly budget?: Partial<BudgetLimits>;
}

/** The current levels of what is limited. */
export interface Levels extends AdmissionLevels {
  /** Bytes of unfinished messages. */
  readonly unfinishedBytes: number;
  /** Connections dropped since the start because nothing arrived on them. */
  readonly silentTotal: number;
  /** Connections whose requests wait for processor time, and how often one did. */
  readonly paced: number;
  readonly pacedTotal: number;
}

/** Options of a server besides its services. */
interface ListenOptions {
  readonly limits?: XdsLimits;
  /** As `XdsServerOptions.collectYoungMemory`. */
  readonly collectYoungMemory?: boolean;
  /** Default: connections may have any age. */
  readonly age?: ConnectionAge | undefined;
  turnedAway?(one: TurnedAway): void;
}

const keepaliveTimes = {
  // A half-open connection is noticed within 5 + 8 + 2 s; the project's bound is 15 s.
  used: { quietMs: 5_000, answerMs: 8_000 },
  // Nobody waits for a connection that has never had a stream.
  unused: { quietMs: 60_000, answerMs: 60_000 },
};

/**
 * Serves gRPC on `address` (`host:port`; port 0 takes a free one). Messages are opaque bytes here. Throws
 * MeshError 'unavailable' if the address cannot be bound.
 */
export async function listen(
  address: string,
  tls: TlsOptions | undefined,
  clock: Clock,
  services: Services,
  options: ListenOptions = {},
): Promise<Listening> {
  const { limits = {}, turnedAway = () => {}, collectYoungMemory = false, age } = options;
  const calls = new Set<GrpcCall>();
  const keepalive = new SessionKeepalive(clock, keepaliveTimes);
  const ages = age && new ConnectionAges(age, (session) => leave(session, callsOf(session, calls), tooOld));
  const wasRead = collectYoungMemory ? collectWhatWasRead() : () => {};
  const intakes = new Intakes(clock, { ...intakeLimits, ...limits.intake });
  const paces = new Paces(clock, { ...paceLimits, ...limits.pace });
  const listener = await openListener(tls, address, {
    ...{ clock, turnedAway, limits: { ...admissionLimits, ...limits.admission } },
    began: (session) => keepalive.began(session),
    opened(http, headers) {
      if (!isGrpc(headers)) {
        refuseOther(http);
        return;
      }
      const call = new GrpcCall(http);
      const open = services.get(headers[':path'] ?? '');
      if (open === undefined) {
        call.end(grpcStatus.unimplemented, noMethod(headers[':path']));
        return;
      }
      calls.add(call);
      http.once('close', () => calls.delete(call));
      if (call.session !== undefined) for (const one of [keepalive, ages]) one?.used(call.session);
      serveCall(call, open, { clock, intakes, paces, wasRead, admission: listener.admission });
      call.keepDeadline(headers, clock);
    },
  });
  return {
    port: listener.port,
    levels: () => ({
      ...listener.admission.levels(),
      ...{ unfinishedBytes: intakes.bytes, paced: paces.waiting, pacedTotal: paces.waits },
      silentTotal: keepalive.dropped,
    }),
    updateTls: (next) => listener.updateTls(next),
    holdLarge: (isHeld) => paces.hold(isHeld),
    async handOver(overMs) {
      listener.stop();
      const connections = [...calls].map(({ session }) => session);
      await handOver(departures(calls), overMs, clock);
      // The last GOAWAY and statuses must be sent first: a closed connection ends only after them.
      const isThere = () => connections.some((one) => one?.destroyed === false);
      for (let looks = 0; looks < 50 && isThere(); looks += 1) await sleep(clock, 20);
    },
    async close(graceMs) {
      listener.stop();
      await close(listener.sessions, calls, clock, graceMs);
      listener.admission.destroy();
    },
  };
}

const pathBytesMax = 200;

function noMethod(path = ''): string {
  return `there is no method ${safeExcerpt(path, pathBytesMax)}`;
}

/** What reads calls, and what bounds it. */
interface Reading {
  readonly clock: Clock;
  readonly intakes: Intakes;
  readonly paces: Paces;
  wasRead(bytes: number): void;
  readonly admission: Admission;
}

function serveCall(call: GrpcCall, open: (stream: Stream) => StreamHandler, reading: Reading): void {
  new ServedCall(call, open, reading);
}

class ServedCall {
  readonly #call: GrpcCall;
  readonly #clock: Clock;
  #ended = false;
  #isFinishing = false;
  readonly #end = () => {
    if (this.#ended) return;
    this.#ended = true;
    this.#intake.close();
    this.#messages.stop();
    this.#handler.closed();
    if (!this.#http.destroyed) closeUnread(this.#http, this.#clock);
  };
  readonly #refuse = (error: MeshError) => {
    if (this.#ended) return;
    this.#handler.refused?.(error);
    this.#end();
    this.#call.end(statusByCode[error.code], error.message);
    // Or its client would go on asking by the certificate that this connection began with.
    if (error.code === 'forbidden') this.#call.session?.close();
  };
  // What the client has not read counts against its limits until it has.
  readonly #finish = () => {
    if (this.#ended) return;
    this.#isFinishing = true;
    this.#intake.close();
    this.#messages.stop();
    if (this.#http.writableNeedDrain) {
      this.#messages.whenRead(this.#finish);
      if (this.#deadline?.isRunning !== true) this.#expectRead(this.#http.writableLength);
    } else {
      this.#end();
      this.#call.end(grpcStatus.ok, 'OK');
    }
  };
  // Most streams are never asked to read in time.
  #deadline: ReadDeadline | undefined;
  readonly #expectRead = (bytes: number) => {
    this.#deadline ??= new ReadDeadline(this.#http, this.#clock, (error) => this.#handler.refused?.(error));
    this.#deadline.expect(bytes);
  };
  #isDear = false;
  readonly #http: ServerHttp2Stream;
  readonly #intake: Intake;
  readonly #messages: Messages;
  readonly #handler: StreamHandler;
  readonly #halfClosed = () => {
    if (this.#isFinishing) return;
    if (!this.#ended && this.#handler.halfClosed !== undefined) this.#handler.halfClosed();
    else this.#finish();
  };

  constructor(call: GrpcCall, open: (stream: Stream) => StreamHandler, reading: Reading) {
    this.#call = call;
    this.#clock = reading.clock;
    const { http } = call;
    this.#http = http;
    const connection = call.session ?? call;
    this.#intake = reading.intakes.open(connection, this.#refuse);
    const counter = reading.admission.usefulOf(http);
    this.#messages = openMessages(call, {
      receive: (bytes) => {
        if (!this.#ended) this.#handler.receive(bytes);
      },
      wasRead: (bytes) => {
        reading.wasRead(bytes);
        if (counter !== undefined) counter.useful += bytes;
      },
      shortPieceCame() {
        if (!reading.admission.pieceCame(http)) http.destroy();
      },
      refuse: this.#refuse,
      intake: this.#intake,
      pace: reading.paces.of(connection),
      isDear: () => this.#isDear,
    });
    const certificate = call.certificate();
    this.#handler = open({
      peer: { address: call.peer(), ...(certificate && { certificate }) },
      unreadBytes: () => this.#messages.unreadBytes(),
      whenRead: (fn) => this.#messages.whenRead(fn),
      expectRead: this.#expectRead,
      write: (bytes) => {
        if (!this.#ended && !this.#isFinishing) this.#messages.write(bytes);
      },
      together: (work) => call.together(work),
      end: this.#finish,
      refuse: this.#refuse,
      inSlices: (work) => {
        if (!this.#ended && !this.#isFinishing) this.#messages.inSlices(work);
      },
      known: () => {
        this.#intake.known();
        reading.admission.settled(http);
      },
      dear: () => {
        this.#isDear = true;
      },
    });
    http.once('end', () => this.#messages.whenTaken(this.#halfClosed));
    call.whenOver(this.#end);
  }
}

const statusByCode: Readonly<Record<MeshErrorCode, number>> = {
  invalid: grpcStatus.invalidArgument,
  unsupported: grpcStatus.invalidArgument,
  'not-found': grpcStatus.notFound,
  exhausted: grpcStatus.resourceExhausted,
  late: grpcStatus.deadlineExceeded,
  unavailable: grpcStatus.unavailable,
  conflict: grpcStatus.failedPrecondition,
  forbidden: grpcStatus.permissionDenied,
  internal: grpcStatus.internal,
};

/** Ends each connection: a status for its streams, and GOAWAY, so that its client opens no more on it. */
function departures(calls: ReadonlySet<GrpcCall>): (() => void)[] {
  const byConnection = new Map<object, GrpcCall[]>();
  for (const call of calls) {
    const connection = call.session ?? call;
    byConnection.set(connection, [...(byConnection.get(connection) ?? []), call]);
  }
  return [...byConnection.values()].map((own) => () => leave(own[0]?.session, own, goingAway));
}

function callsOf(session: ServerHttp2Session, calls: ReadonlySet<GrpcCall>): GrpcCall[] {
  return [...calls].filter((call) => call.session === session);
}

/** Ends a connection with its calls. */
function leave(session: ServerHttp2Session | undefined, own: readonly GrpcCall[], words: string): void {
  for (const call of own) call.end(grpcStatus.unavailable, words);
  session?.close();
}

const goingAway = 'this server is shutting down: connect again';
const tooOld = 'this connection has reached its age: connect again, to any server';

/**
 * Ends the streams, which clients reopen elsewhere, and waits for the connections to close, at most
 * `graceMs`.
 */
async function close(
  sessions: ReadonlySet<ServerHttp2Session>,
  calls: ReadonlySet<GrpcCall>,
  clock: Clock,
  graceMs: number,
): Promise<void> {
  // Timers of the clock do not keep the process alive; this does until the close is done.
  const letEnd = keepProcess();
  await new Promise<void>((resolve) => {
    const force = clock.after(graceMs, () => {
      for (const session of sessions) session.destroy();
      resolve();
    });
    const gone = [...sessions].map(
      (session) =>
        new Promise<void>((left) => void (session.destroyed ? left() : session.once('close', left))),
    );
    for (const session of sessions) session.close();
    for (const call of calls) call.end(grpcStatus.unavailable, 'server is closing');
    void Promise.all(gone).then(() => {
      force.cancel();
      resolve();
    });
  });
  letEnd();
}
