import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
} from 'node:http2';
import { Readable } from 'node:stream';
import type { Clock } from '../../../base/clock.ts';
import type { ListenAddress } from '../../../model/values/listen-address.ts';
import { bodyOf, callHeader } from '../../call/call.ts';
import { createDigest } from '../../call/payload.ts';
import type { TargetPicker } from '../load-target.ts';
import type { Caller, LoadJob, LoadResult } from './load-caller.ts';
import { type HttpPlan, judgeAnswer } from './load-http.ts';

/** A connection that stands. */
interface Standing {
  readonly session: ClientHttp2Session;
  readonly establishedAt: number;
}

/**
 * Makes HTTP/2 requests, all of one address on one connection, without TLS (prior knowledge). Another address
 * is tried only while no connection was established, so nothing was written; nothing is sent twice. Answers
 * count as those of HTTP/1.1.
 */
export function createHttp2Caller(plan: HttpPlan, picker: TargetPicker, clock: Clock): Caller {
  return new Http2Caller(plan, picker, clock);
}

class Http2Caller implements Caller {
  readonly #plan: HttpPlan;
  readonly #picker: TargetPicker;
  readonly #clock: Clock;
  readonly #standing = new Map<string, Promise<Standing>>();

  constructor(plan: HttpPlan, picker: TargetPicker, clock: Clock) {
    this.#plan = plan;
    this.#picker = picker;
    this.#clock = clock;
  }

  make(job: LoadJob, done: (result: LoadResult) => void): (reason: Error) => void {
    const targets = this.#picker.order(this.#clock.now());
    let over = false;
    let abandon: (reason: Error) => void = () => {};
    const finish = (
      target: ListenAddress,
      connectedAt: number,
      result: Omit<LoadResult, 'target' | 'connectedAt'>,
    ) => {
      if (over) return;
      over = true;
      done({ ...result, target: `${target.address}:${target.port}`, connectedAt });
    };
    const failed = (error: Error, status = 0) => ({ status, idc: '', instance: '', error: error.message });
    const attempt = (index: number): void => {
      const target = targets[index] as ListenAddress;
      abandon = (reason) => finish(target, 0, failed(reason));
      this.#connected(target).then(
        ({ session, establishedAt }) => {
          if (over) return;
          const stream = session.request(headersOf(this.#plan, job));
          abandon = (reason) => {
            stream.destroy();
            finish(target, establishedAt, failed(reason));
          };
          exchange(stream, job, (result) => finish(target, establishedAt, result));
        },
        (error: Error) => {
          if (over) return;
          this.#picker.refused(target, this.#clock.now());
          if (index + 1 < targets.length) attempt(index + 1);
          else finish(target, 0, failed(error));
        },
      );
    };
    attempt(0);
    return (reason) => abandon(reason);
  }

  close(): void {
    for (const each of this.#standing.values())
      each.then(
        ({ session }) => session.close(),
        () => {},
      );
  }

  #connected(target: ListenAddress): Promise<Standing> {
    const key = `${target.address}:${target.port}`;
    const known = this.#standing.get(key);
    if (known !== undefined) return known;
    const made = open(target, this.#plan.connectTimeoutMs, this.#clock, () => {
      if (this.#standing.get(key) === made) this.#standing.delete(key);
    });
    this.#standing.set(key, made);
    return made;
  }
}

/** Connects. `ended` is called once the connection takes no more requests. */
function open(target: ListenAddress, timeoutMs: number, clock: Clock, ended: () => void): Promise<Standing> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://${target.address}:${target.port}`);
    const timer = clock.after(timeoutMs, () =>
      session.destroy(new Error(`no connection within ${timeoutMs} ms`)),
    );
    const end = (error: Error = new Error('the connection was closed')) => {
      timer.cancel();
      ended();
      reject(error);
    };
    // Streams that are under way learn it themselves.
    session
      .on('error', end)
      .on('close', () => end())
      .on('goaway', () => ended());
    session.once('connect', () => {
      timer.cancel();
      resolve({ session, establishedAt: clock.now() });
    });
  });
}

function headersOf(plan: HttpPlan, { host, id, call }: LoadJob): Record<string, string> {
  const method = call?.method ?? plan.method ?? 'GET';
  const known = call && !call.chunked && method !== 'GET' && method !== 'HEAD';
  return {
    ':method': method,
    ':path': plan.path,
    ':authority': host,
    'x-drill-id': id,
    ...(call && { [callHeader]: JSON.stringify(call) }),
    ...(known && { 'content-length': String(call.bodyBytes) }),
  };
}

/** One request on its stream: sends its body, and says once what became of it. */
function exchange(
  stream: ClientHttp2Stream,
  job: LoadJob,
  finish: (result: Omit<LoadResult, 'target' | 'connectedAt'>) => void,
): void {
  const { id, call } = job;
  const digest = createDigest();
  let head: IncomingHttpHeaders | undefined;
  let [body, whole] = ['', false];
  const fail = (error: Error) =>
    finish({ status: Number(head?.[':status'] ?? 0), idc: '', instance: '', error: error.message });
  stream.on('response', (headers) => {
    head = headers;
  });
  stream.on('data', (piece: Buffer) => {
    if (call && Number(head?.[':status']) === 200) digest.add(piece);
    else body += piece.toString('latin1');
  });
  stream.on('end', () => {
    whole = true;
  });
  stream.on('error', (error) => fail(error));
  stream.on('close', () => {
    if (head === undefined || !whole || stream.rstCode !== 0)
      return fail(new Error(head === undefined ? 'closed without an answer' : 'the answer was cut'));
    const answered = head;
    const header = (name: string) => String(answered[name] ?? '');
    return finish(
      judgeAnswer({ status: Number(answered[':status']), header, body }, job, () => digest.text()),
    );
  });
  if (call === undefined || call.bodyBytes === 0) stream.end();
  else Readable.from(bodyOf(call, id)).pipe(stream);
}
