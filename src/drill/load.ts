import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Clock, Timer } from '../base/clock.ts';
import type { ListenAddress } from '../model/node.ts';
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
 * Never retries: node:http sends a request once, on one socket (pooling clients such as undici may resend),
 * and another address is tried only while no connection was established, so nothing was written.
 * Resolves when all requests have ended; when `signal` aborts, the ones not yet due are not sent.
 */
export function runLoad(
  plan: LoadPlan,
  clock: Clock,
  done: (sample: Sample) => void,
  signal?: AbortSignal,
): Promise<void> {
  const times = arrivals(plan.ratePerSecond, plan.durationMs, plan.seed);
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, maxFreeSockets: 4096 });
  const picker = createTargetPicker(plan.tiers);
  return new Promise((resolve) => {
    let next = 0;
    let open = 0;
    let end = times.length;
    const finishIfDone = () => {
      if (next < end || open > 0) return;
      agent.destroy();
      resolve();
    };
    const tick = () => {
      const now = clock.now();
      while (next < end && plan.startAtMs + (times[next] as number) <= now) {
        const number = next++;
        open += 1;
        const due = plan.startAtMs + (times[number] as number);
        send(plan, clock, agent, picker, { number, due }, (sample) => {
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
  agent: Agent,
  picker: ReturnType<typeof createTargetPicker>,
  { number, due }: { number: number; due: number },
  done: (sample: Sample) => void,
): void {
  const id = `${plan.stream}:${number}`;
  const host = plan.hosts[number % plan.hosts.length] ?? '';
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
    let written = false;
    let connecting: Timer | undefined;
    const request = httpRequest({
      agent,
      host: target.address,
      port: target.port,
      method: plan.method ?? 'GET',
      path: plan.path,
      headers: { host, 'x-drill-id': id },
    });
    abandon = (reason) => request.destroy(reason);
    request.on('socket', (socket: SocketWithTime) => {
      const established = () => {
        connecting?.cancel();
        written = true;
        socket.drillConnectedAt ??= clock.now();
        connectedAt = socket.drillConnectedAt;
      };
      if (!socket.connecting) return established();
      socket.once('connect', established);
      const tooLong = () => request.destroy(new Error(`no connection within ${plan.connectTimeoutMs} ms`));
      connecting = clock.after(plan.connectTimeoutMs, tooLong);
    });
    request.on('response', (response) => readAnswer(response, id, finish));
    request.on('error', (error) => {
      connecting?.cancel();
      if (written || finished) return finish(0, '', '', error.message);
      picker.refused(target, clock.now());
      if (index + 1 < targets.length) attempt(index + 1);
      else finish(0, '', '', error.message);
    });
    request.end();
  };
  attempt(0);
}

type Finish = (status: number, idc: string, instance: string, error: string, outcome?: string) => void;

interface SocketWithTime {
  readonly connecting: boolean;
  once(event: 'connect', listener: () => void): unknown;
  drillConnectedAt?: number;
}

/** Reads the whole answer; it counts only when it is whole and carries this request's own id. */
function readAnswer(response: IncomingMessage, id: string, finish: Finish): void {
  const status = response.statusCode ?? 0;
  const idc = String(response.headers['x-drill-idc'] ?? '');
  const instance = String(response.headers['x-drill-instance'] ?? '');
  let body = '';
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    if (body.length < 4096) body += chunk;
  });
  response.on('error', (error) => finish(status, idc, instance, error.message));
  response.on('end', () => {
    if (status !== 200) {
      const outcome = String(response.headers['x-isthmus-outcome'] ?? '');
      return finish(status, idc, instance, `status ${status}: ${body.slice(0, 120)}`, outcome);
    }
    const own = body.includes(`"id":${JSON.stringify(id)}`);
    finish(status, idc, instance, own ? '' : 'the answer carries another id');
  });
}
