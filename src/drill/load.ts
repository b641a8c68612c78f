import type { Clock } from '../base/clock.ts';
import type { ListenAddress } from '../model/node.ts';
import type { Answer } from './load-answer.ts';
import { type Connections, createConnections } from './load-connections.ts';
import { createTargetPicker } from './load-target.ts';
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
  readonly path: string;
  /** Where to connect: the first tier that accepts, its addresses by turn. */
  readonly tiers: readonly (readonly ListenAddress[])[];
  /** A request that took longer has failed. */
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
}

/**
 * Sends each request when it is due, whatever became of those before it, and calls `done` once for each.
 * Never retries: another address is tried only while no connection was established, so nothing was written.
 * Resolves when all requests have ended; when `signal` aborts, the ones not yet due are not sent.
 */
export function runLoad(
  plan: LoadPlan,
  clock: Clock,
  done: (sample: Sample) => void,
  signal?: AbortSignal,
): Promise<void> {
  const times = arrivals(plan.ratePerSecond, plan.durationMs, plan.seed);
  const connections = createConnections(clock, plan.connectTimeoutMs);
  const picker = createTargetPicker(plan.tiers);
  return new Promise((resolve) => {
    let next = 0;
    let open = 0;
    let end = times.length;
    const finishIfDone = () => {
      if (next < end || open > 0) return;
      connections.close();
      resolve();
    };
    const tick = () => {
      const now = clock.now();
      while (next < end && plan.startAtMs + (times[next] as number) <= now) {
        const number = next++;
        open += 1;
        const due = plan.startAtMs + (times[number] as number);
        send(plan, clock, connections, picker, { number, due }, (sample) => {
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

/** One request, from its sending to its sample. */
function send(
  plan: LoadPlan,
  clock: Clock,
  connections: Connections,
  picker: ReturnType<typeof createTargetPicker>,
  { number, due }: { number: number; due: number },
  done: (sample: Sample) => void,
): void {
  const id = `${plan.stream}:${number}`;
  const request = requestText(plan, plan.hosts[number % plan.hosts.length] ?? '', id);
  const sent = clock.now();
  const targets = picker.order(sent);
  let target = targets[0] as ListenAddress;
  let connectedAt = 0;
  let finished = false;
  let abandon: (reason: Error) => void = () => {};
  const finish: Finish = (status, idc, instance, error, outcome) => {
    if (finished) return;
    finished = true;
    deadline.cancel();
    const at = `${target.address}:${target.port}`;
    const end = clock.now();
    const sample = { id, stream: plan.stream, due, sent, end, status, idc, instance, target: at };
    done({ ...sample, connectedAt, error, ...(outcome && { outcome }) });
  };
  const deadline = clock.after(plan.timeoutMs, () => {
    finish(0, '', '', `no answer within ${plan.timeoutMs} ms`);
    abandon(new Error('deadline'));
  });

  const attempt = (index: number) => {
    target = targets[index] as ListenAddress;
    abandon = connections.send(target, request, {
      written: (atMs) => {
        connectedAt = atMs;
      },
      answered: (answer) => judge(answer, id, finish),
      failed: (error, written) => {
        if (written || finished) return finish(0, '', '', error.message);
        picker.refused(target, clock.now());
        if (index + 1 < targets.length) attempt(index + 1);
        else finish(0, '', '', error.message);
      },
    });
  };
  attempt(0);
}

function requestText(plan: LoadPlan, host: string, id: string): string {
  const method = plan.method ?? 'GET';
  // A method that may have a body says that it has none (RFC 9110, 8.6).
  const length = method === 'GET' || method === 'HEAD' ? '' : 'content-length: 0\r\n';
  return `${method} ${plan.path} HTTP/1.1\r\nhost: ${host}\r\nx-drill-id: ${id}\r\n${length}\r\n`;
}

type Finish = (status: number, idc: string, instance: string, error: string, outcome?: string) => void;

/** An answer counts only when it carries this request's own id. */
function judge(answer: Answer, id: string, finish: Finish): void {
  const { status, body } = answer;
  const idc = answer.header('x-drill-idc');
  const instance = answer.header('x-drill-instance');
  if (status === 200) {
    const own = body.includes(`"id":${JSON.stringify(id)}`);
    finish(status, idc, instance, own ? '' : 'the answer carries another id');
  } else {
    const outcome = answer.header('x-isthmus-outcome');
    finish(status, idc, instance, `status ${status}: ${body.slice(0, 120)}`, outcome);
  }
}
