import { seededRandom } from '../../base/random.ts';
import { payload } from './payload.ts';

/**
 * How a call is made. `http`: one HTTP/1.1 request and its answer; `http2`: the same over HTTP/2; the others
 * are what their names say.
 */
export type CallKind =
  | 'http'
  | 'http2'
  | 'websocket'
  | 'grpc'
  | 'grpc-stream'
  | 'grpc-chat'
  | 'tcp'
  | 'tcp-session';

/**
 * Minimum and maximum, inclusive; drawn log-uniformly, so that each order of magnitude is equally frequent.
 */
type Range = readonly [least: number, most: number];

/** A kind of request in a mixed load. */
export interface CallShape {
  /** As reports name it, such as `GET, slow`. */
  readonly name: string;
  readonly kind: CallKind;
  /** Its share of the mix, against the other weights. */
  readonly weight: number;
  /** Of `http` and `http2`; default GET. */
  readonly method?: string;
  /** How long the instance works on it before it answers, in milliseconds; default 0. */
  readonly workMs?: Range;
  /** Length of the body; default 0. */
  readonly bodyBytes?: Range;
  /** Length of the answer's body; default 0. */
  readonly answerBytes?: Range;
  /**
   * What is sent in pieces: the body, the answer (server-sent events, a slow download), or messages in both
   * directions.
   */
  readonly paced?: 'body' | 'answer';
  /** Duration of the pieces, and the time between two, in milliseconds. */
  readonly lastsMs?: Range;
  readonly everyMs?: number;
  /** The answer is a stream of server-sent events. */
  readonly events?: boolean;
  /** The body's length is not declared (RFC 9112, 7.1). */
  readonly chunked?: boolean;
  /** Of `tcp`: who closes its direction first; default the server, after its answer. */
  readonly closes?: 'client' | 'server';
}

/** One call, drawn from its shape: all that client and instance need. */
export interface Call {
  readonly shape: string;
  readonly kind: CallKind;
  readonly method: string;
  readonly workMs: number;
  readonly bodyBytes: number;
  readonly answerBytes: number;
  /** Pieces or messages, one every `everyMs`; 0 when nothing is paced. */
  readonly pieces: number;
  readonly everyMs: number;
  readonly paced?: 'body' | 'answer';
  readonly events?: boolean;
  readonly chunked?: boolean;
  readonly closes?: 'client' | 'server';
}

/** The header, or gRPC metadata, that carries a call to the instance, as JSON. */
export const callHeader = 'x-drill-call';

/** The instance's account of what it received, as `BYTES:SHA256`. */
export const receivedHeader = 'x-drill-received';

/** The call of a mixed load for a request number: deterministic for a mix and seed. */
export function callOf(mix: readonly CallShape[], seed: number, number: number): Call {
  const random = seededRandom(Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b));
  random();
  const shape = pick(mix, random());
  const draw = (range: Range = [0, 0]) => logUniform(range, random());
  const { everyMs = 0, paced, events, chunked, closes } = shape;
  const [workMs, bodyBytes, answerBytes, lastsMs] = [
    draw(shape.workMs),
    draw(shape.bodyBytes),
    draw(shape.answerBytes),
    draw(shape.lastsMs),
  ];
  return {
    shape: shape.name,
    kind: shape.kind,
    method: shape.method ?? (shape.kind.startsWith('grpc') ? 'POST' : 'GET'),
    workMs,
    bodyBytes,
    answerBytes,
    pieces: everyMs > 0 ? 1 + Math.max(1, Math.round(lastsMs / everyMs)) : 0,
    everyMs,
    ...(paced && { paced }),
    ...(events && { events }),
    ...(chunked && { chunked }),
    ...(closes && { closes }),
  };
}

/** Whether a call is one request and its answer, by whatever version of HTTP. */
export function isHttp({ kind }: Pick<Call, 'kind'>): boolean {
  return kind === 'http' || kind === 'http2';
}

/** How long a call takes when nothing delays it, in milliseconds. */
export function callMs({ workMs, pieces, everyMs }: Call): number {
  return workMs + Math.max(0, pieces - 1) * everyMs;
}

/** How long the longest call of a mix may take, in milliseconds. */
export function longestOf(mix: readonly CallShape[]): number {
  return Math.max(
    0,
    ...mix.map(({ workMs = [0, 0], lastsMs = [0, 0], everyMs = 0 }) => workMs[1] + lastsMs[1] + everyMs),
  );
}

/** The pieces of a call's body, as its client sends them. */
export function bodyOf(call: Call, id: string): Generator<Buffer, void, void> {
  return payload(id, call.bodyBytes, call.paced === 'body' ? call.pieces : undefined);
}

/** The pieces of a call's answer, as the instance sends them. */
export function* answerPieces(call: Call, id: string): Generator<Buffer, void, void> {
  if (!call.events) yield* payload(`${id} answer`, call.answerBytes, call.pieces || undefined);
  else for (let n = 0; n < call.pieces; n += 1) yield Buffer.from(`id: ${n}\ndata: ${id}\n\n`);
}

/** A message of a session, which is echoed. */
export function callMessage(id: string, number: number): string {
  return `${id} message ${number}`;
}

/** A call as it stands in its header; undefined when there is none. */
export function parseCall(text: string | undefined): Call | undefined {
  return text === undefined || text === '' ? undefined : JSON.parse(text);
}

function pick(mix: readonly CallShape[], share: number): CallShape {
  let left = share * mix.reduce((sum, { weight }) => sum + weight, 0);
  const found = mix.find(({ weight }) => {
    left -= weight;
    return left < 0;
  });
  const shape = found ?? mix.at(-1);
  if (!shape) throw new RangeError('a mixed load needs at least one kind of request');
  return shape;
}

function logUniform([least, most]: Range, share: number): number {
  return Math.round((least + 1) * ((most + 1) / (least + 1)) ** share - 1);
}
