import type { Clock } from '../../../base/clock.ts';
import type { ListenAddress } from '../../../model/values/listen-address.ts';
import { answerPieces, bodyOf, type Call, callHeader, receivedHeader } from '../../call/call.ts';
import { createDigest, digestOf } from '../../call/payload.ts';
import type { TargetPicker } from '../load-target.ts';
import type { LoadAnswer } from './load-answer.ts';
import { type Caller, createGapMeter, type LoadJob, type LoadResult } from './load-caller.ts';
import { type BodyPieces, createConnections, type Exchange } from './load-connections.ts';

/** What an HTTP caller is told of its load. */
export interface HttpPlan {
  readonly path: string;
  /** Of requests that are no calls of a mix; default GET. */
  readonly method?: string;
  readonly connectTimeoutMs: number;
}

/**
 * Makes HTTP/1.1 requests on keep-alive connections. Another address is tried only while no connection was
 * established, so nothing was written. An answer counts when it is whole and the request's own: it carries
 * its id, and of a call what it must, to the last byte; and the instance received what was sent.
 */
export function createHttpCaller(plan: HttpPlan, picker: TargetPicker, clock: Clock): Caller {
  const connections = createConnections(clock, plan.connectTimeoutMs);
  return {
    make(job, done) {
      const targets = picker.order(clock.now());
      let target = targets[0] as ListenAddress;
      let connectedAt = 0;
      let abandon: (reason: Error) => void = () => {};
      let abandoned = false;
      const digest = createDigest();
      const gap = createGapMeter(() => clock.now());
      const finish = (result: Omit<LoadResult, 'target' | 'connectedAt'>) => {
        const gapMs = job.call?.paced === 'answer' ? { gapMs: gap.longestMs } : {};
        done({ ...result, ...gapMs, target: `${target.address}:${target.port}`, connectedAt });
      };
      const failed = (status: number, error: Error) =>
        finish({ status, idc: '', instance: '', error: error.message });
      const attempt = (index: number) => {
        target = targets[index] as ListenAddress;
        const exchange: Exchange = {
          written: (atMs) => {
            connectedAt = atMs;
          },
          answered: (answer) => finish(judgeAnswer(answer, job, digest.text)),
          failed: (error, written, status) => {
            if (written || abandoned) return failed(status, error);
            picker.refused(target, clock.now());
            if (index + 1 < targets.length) attempt(index + 1);
            else failed(0, error);
          },
          ...(job.call && {
            sinkOf: ({ status }) => {
              gap.mark();
              if (status !== 200) return undefined;
              return (piece) => {
                gap.mark();
                digest.add(piece);
              };
            },
          }),
        };
        abandon = connections.send(
          target,
          headOf(plan, job),
          exchange,
          job.call && bodyFor(job.call, job.id),
        );
      };
      attempt(0);
      return (reason) => {
        abandoned = true;
        abandon(reason);
      };
    },
    close: () => connections.close(),
  };
}

function headOf(plan: HttpPlan, { host, id, call }: LoadJob): string {
  const method = call?.method ?? plan.method ?? 'GET';
  const lines = [`${method} ${plan.path} HTTP/1.1`, `host: ${host}`, `x-drill-id: ${id}`];
  if (call) lines.push(`${callHeader}: ${JSON.stringify(call)}`);
  if (call?.events) lines.push('accept: text/event-stream');
  // A method that may have a body says that it has none (RFC 9110, 8.6).
  if (call?.chunked) lines.push('transfer-encoding: chunked');
  else if (method !== 'GET' && method !== 'HEAD') lines.push(`content-length: ${call?.bodyBytes ?? 0}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function bodyFor(call: Call, id: string): BodyPieces | undefined {
  if (call.bodyBytes === 0 && !call.chunked) return undefined;
  const pieces = bodyOf(call, id);
  return {
    pieces: call.chunked ? chunksOf(pieces) : pieces,
    everyMs: call.paced === 'body' ? call.everyMs : 0,
  };
}

/**
 * A chunked body (RFC 9112, 7.1), a chunk for each piece; the end goes with the last, as it is paced with it.
 */
function* chunksOf(pieces: Iterator<Buffer>): Generator<Buffer, void, void> {
  const last = Buffer.from('0\r\n\r\n');
  let piece = pieces.next();
  if (piece.done) yield last;
  while (!piece.done) {
    const { value } = piece;
    piece = pieces.next();
    const end = piece.done ? [last] : [];
    yield Buffer.concat([
      Buffer.from(`${value.length.toString(16)}\r\n`),
      value,
      Buffer.from('\r\n'),
      ...end,
    ]);
  }
}

/** What became of a request that was answered: it must be its own, and whole. */
export function judgeAnswer(
  answer: Pick<LoadAnswer, 'status' | 'header' | 'body'>,
  { id, call }: LoadJob,
  digest: () => string,
): Omit<LoadResult, 'target' | 'connectedAt'> {
  const { status, body } = answer;
  const [idc, instance] = [answer.header('x-drill-idc'), answer.header('x-drill-instance')];
  if (status !== 200) {
    const outcome = answer.header('x-isthmus-outcome');
    const error = `status ${status}: ${body.slice(0, 120)}`;
    return { status, idc, instance, error, ...(outcome && { outcome }) };
  }
  const own = call ? answer.header('x-drill-id') === id : body.includes(`"id":${JSON.stringify(id)}`);
  const error = own ? '' : 'the answer carries another id';
  if (!call || error) return { status, idc, instance, error };
  return { status, idc, instance, error: differenceOf(call, id, answer.header(receivedHeader), digest()) };
}

/**
 * What is wrong with what the instance received (as it says) or with what it answered, both as
 * `BYTES:SHA256`; '' when nothing is.
 */
export function differenceOf(call: Call, id: string, received: string, answered: string): string {
  const [sent, due] = [digestOf(bodyOf(call, id)), digestOf(answerPieces(call, id))];
  if (received !== sent) return `the instance received ${received || 'nothing'}, sent were ${sent}`;
  return answered === due ? '' : `the answer is ${answered}, it should be ${due}`;
}
