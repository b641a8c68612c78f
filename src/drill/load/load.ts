import type { Clock } from '../../base/clock.ts';
import type { ListenAddress } from '../../model/values/listen-address.ts';
import { type CallKind, type CallShape, callMs, callOf } from '../call/call.ts';
import type { Caller, LoadJob } from './callers/load-caller.ts';
import { createHttpCaller } from './callers/load-http.ts';
import { createHttp2Caller } from './callers/load-http2.ts';
import { createTcpCaller } from './callers/load-tcp.ts';
import { createWebsocketCaller } from './callers/load-websocket.ts';
import { createTargetPicker, type TargetPicker } from './load-target.ts';
import type { Sample } from './sample.ts';
import { arrivals } from './schedule.ts';

/** One open-loop load. Times in milliseconds. */
export interface LoadPlan {
  /** Names the load; ids are `stream:number`. */
  readonly stream: string;
  /** When the first phase begins, on the machine's monotonic clock. */
  readonly startAtMs: number;
  readonly durationMs: number;
  readonly ratePerSecond: number;
  readonly seed: number;
  /** Host headers, taken by turn. */
  readonly hosts: readonly string[];
  /** Default GET. */
  readonly method?: string;
  /** What its requests are, by weights; default: all alike, small, of `method`, answered at once. */
  readonly mix?: readonly CallShape[];
  readonly path: string;
  /** Where to connect: the first tier that accepts, its addresses by turn. */
  readonly tiers: readonly (readonly ListenAddress[])[];
  /** A request that took longer than this, and than it asks for itself, has failed. */
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
}

/**
 * Sends each request when it is due, whatever became of those before it, and calls `done` once for each.
 * Never retries: another address is tried only while no connection was established, so nothing was written.
 * Resolves when all requests have ended; when `signal` aborts, the ones not yet due are not sent.
 */
export async function runLoad(
  plan: LoadPlan,
  clock: Clock,
  done: (sample: Sample) => void,
  signal?: AbortSignal,
): Promise<void> {
  const times = arrivals(plan.ratePerSecond, plan.durationMs, plan.seed);
  const callers = await createCallers(plan, clock);
  return new Promise((resolve) => {
    let next = 0;
    let open = 0;
    let end = times.length;
    const finishIfDone = () => {
      if (next < end || open > 0) return;
      callers.close();
      resolve();
    };
    const tick = () => {
      const now = clock.now();
      while (next < end && plan.startAtMs + (times[next] as number) <= now) {
        const number = next++;
        open += 1;
        const due = plan.startAtMs + (times[number] as number);
        send(plan, clock, callers, { number, due }, (sample) => {
          open -= 1;
          done(sample);
          finishIfDone();
        });
      }
      if (next < end) clock.after(Math.max(0, plan.startAtMs + (times[next] as number) - now), tick);
      else finishIfDone();
    };
    signal?.addEventListener('abort', () => {
      end = next;
      finishIfDone();
    });
    tick();
  });
}

/** The callers that a plan needs, by kind of call. */
interface Callers {
  of(kind: CallKind): Caller;
  close(): void;
}

async function createCallers(plan: LoadPlan, clock: Clock): Promise<Callers> {
  const picker = createTargetPicker(plan.tiers);
  const kinds = new Set((plan.mix ?? [{ kind: 'http' as const }]).map(({ kind }) => familyOf(kind)));
  const made = new Map<Family, Caller>();
  for (const family of kinds) made.set(family, await createCaller(family, plan, picker, clock));
  return {
    of(kind) {
      const found = made.get(familyOf(kind));
      if (!found) throw new RangeError(`the load has no caller for ${kind}`);
      return found;
    },
    close() {
      for (const caller of made.values()) caller.close();
    },
  };
}

type Family = 'http' | 'http2' | 'websocket' | 'grpc' | 'tcp';

function familyOf(kind: CallKind): Family {
  return kind === 'http' || kind === 'http2' || kind === 'websocket'
    ? kind
    : kind.startsWith('grpc')
      ? 'grpc'
      : 'tcp';
}

async function createCaller(
  family: Family,
  plan: LoadPlan,
  picker: TargetPicker,
  clock: Clock,
): Promise<Caller> {
  switch (family) {
    case 'http':
      return createHttpCaller(plan, picker, clock);
    case 'http2':
      return createHttp2Caller(plan, picker, clock);
    case 'websocket':
      return createWebsocketCaller(plan.connectTimeoutMs, picker, clock);
    case 'tcp':
      return createTcpCaller(plan.connectTimeoutMs, picker, clock);
    case 'grpc':
      // Loaded only when wanted: most loads are HTTP/1.1.
      return (await import('./callers/load-grpc.ts')).createGrpcCaller(picker, clock);
  }
}

/** One request, from its sending to its sample. */
function send(
  plan: LoadPlan,
  clock: Clock,
  callers: Callers,
  { number, due }: { number: number; due: number },
  done: (sample: Sample) => void,
): void {
  const id = `${plan.stream}:${number}`;
  const call = plan.mix && callOf(plan.mix, plan.seed, number);
  const job: LoadJob = { id, host: plan.hosts[number % plan.hosts.length] ?? '', ...(call && { call }) };
  const sent = clock.now();
  const limitMs = plan.timeoutMs + (call ? callMs(call) : 0);
  let late = false;
  const deadline = clock.after(limitMs, () => {
    late = true;
    abandon(new Error('deadline'));
  });
  const abandon = callers.of(call?.kind ?? 'http').make(job, (result) => {
    deadline.cancel();
    const { status, error, ...rest } = result;
    const told = late ? { status: 0, error: `no answer within ${limitMs} ms` } : { status, error };
    done({ id, stream: plan.stream, due, sent, end: clock.now(), ...rest, ...told });
  });
}
