import { type Clock, sleep } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import type { InstanceKey } from '../../client/deregistration.ts';
import type { Answer } from '../../contract/contract.ts';
import { acceptedBody, answerMsMax, type DrainPlane } from './drain-planes.ts';
import { inFlightText, lateText, leftText, removedText } from './drain-text.ts';

type Effect = Answer<'drainInstance'>['body'];

/** What has become of it at one control plane. */
export interface DrainResult {
  /** Its address. */
  readonly admin: string;
  /** Whether its proxies have confirmed and, if asked for, nothing is in flight; absent: a preview. */
  readonly confirmed?: boolean;
  /** Its last answer; absent: none. */
  readonly answer?: Effect | Answer<'undrainInstance'>['body'] | undefined;
  /** Why it does not do it: the rest is not asked. */
  readonly refusal?: MeshError;
}

/** An instance to drain, or to let back, and how long to wait. Times in milliseconds. */
interface DrainTask {
  readonly planes: readonly DrainPlane[];
  readonly key: InstanceKey;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Results go to `say`, progress and failures to `warn`. */
  readonly say: (words: string) => void;
  readonly warn: (words: string) => void;
}

interface DrainOrder extends DrainTask {
  readonly reason?: string | undefined;
  readonly by?: string | undefined;
  readonly forMs?: number | undefined;
  readonly force: boolean;
  /** Wait until nothing is in flight there. */
  readonly untilIdle: boolean;
  /** Told of each control plane that has taken the order. */
  readonly onDrained?: (admin: string) => void;
}

/** Longest wait for proxies in one request, so that progress is shown. */
const stepMs = 2_000;
/** Interval of asking what is in flight. */
const idleMs = 1_000;

/** Prints what a drain would leave. Throws MeshError `conflict` or `unavailable`. */
export async function previewDrain({ planes, key, say }: DrainTask): Promise<readonly DrainResult[]> {
  const results: DrainResult[] = [];
  for (const { name, client } of planes) {
    const call = { path: key, query: { check: 'only' as const }, body: {}, timeoutMs: answerMsMax };
    const effect = acceptedBody(name, await client.call('drainInstance', call));
    const drained = effect.wasDrained ? ', which is drained already,' : '';
    say(`Without ${shown(key)}${drained} as ${effect.idc} sees it:`);
    for (const line of leftText(effect)) say(`  ${line}`);
    if (!effect.wasDrained && effect.hosts.some(({ isLast }) => isLast)) say('  It needs --force.');
    results.push({ admin: name, answer: effect });
  }
  return results;
}

/** Drains an instance at all of these control planes, and waits for their proxies unless one refuses. */
export async function drainAt(order: DrainOrder): Promise<readonly DrainResult[]> {
  const { planes, key, clock, force, reason, by, forMs } = order;
  const deadline = clock.now() + order.timeoutMs;
  const body = { ...(reason === undefined ? {} : { reason }), ...(by === undefined ? {} : { by }) };
  const query = {
    for: forMs === undefined ? undefined : `${forMs}ms`,
    force: force ? ('true' as const) : undefined,
  };
  // One after the other: what one refuses is not done at the next.
  const done: DrainResult[] = [];
  for (const { name, client } of force ? planes : await refusingFirst(planes, key)) {
    try {
      const call = { path: key, query, body, timeoutMs: answerMsMax };
      const answer = acceptedBody(name, await client.call('drainInstance', call));
      done.push({ admin: name, confirmed: false, answer });
      order.onDrained?.(name);
    } catch (reason) {
      const { code, message } = MeshError.from(reason);
      const where = done.map(({ admin }) => admin).join(', ');
      const words = where === '' ? message : `${message}; drained at ${where}`;
      return [...done, { admin: name, confirmed: false, refusal: new MeshError(code, words) }];
    }
  }
  return Promise.all(planes.map((plane) => followDrain(plane, order, deadline)));
}

/** Those first that will refuse, as the instance is the last one there: then nothing is done at others. */
async function refusingFirst(planes: readonly DrainPlane[], key: InstanceKey): Promise<DrainPlane[]> {
  const asked = await Promise.all(
    planes.map(async (plane) => {
      const call = { path: key, query: { check: 'only' as const }, body: {}, timeoutMs: answerMsMax };
      const reply = await plane.client.call('drainInstance', call);
      const isRefusing = reply.isRefused || reply.body.hosts.some(({ isLast }) => isLast);
      return { plane, isRefusing };
    }),
  );
  const those = (isRefusing: boolean) => asked.filter((one) => one.isRefusing === isRefusing);
  return [...those(true), ...those(false)].map(({ plane }) => plane);
}

async function followDrain(plane: DrainPlane, order: DrainOrder, deadline: number): Promise<DrainResult> {
  const { name: admin } = plane;
  const { key, clock, say, warn, untilIdle } = order;
  let told = '';
  const progress = (words: string) => {
    if (words !== told) warn(words);
    told = words;
  };
  let effect: Effect | undefined;
  for (;;) {
    const leftMs = Math.max(1, Math.round(deadline - clock.now()));
    const waitMs = Math.min(stepMs, leftMs);
    const query = { wait: 'acked' as const, timeout: `${waitMs}ms` };
    try {
      const call = { path: key, query, timeoutMs: waitMs + answerMsMax, heldMs: waitMs };
      const before: Effect | undefined = effect;
      effect = acceptedBody(admin, await plane.client.call('getDrain', call));
      if (untilIdle && isRemoved(before, effect)) {
        warn(`${shown(key)} ${removedText(before)}`);
        return { admin, confirmed: false, answer: effect };
      }
    } catch (reason) {
      progress(MeshError.from(reason).message);
    }
    const isAcked = effect?.acked === true;
    if (effect !== undefined && isAcked && (isIdle(effect) || !untilIdle)) break;
    if (effect?.acked === false)
      progress(`${effect.idc}: not confirmed yet by ${(effect.waitingFor ?? []).join(', ')}`);
    else if (effect !== undefined) progress(`${effect.idc}: ${inFlightText(effect)}`);
    if (clock.now() >= deadline) {
      warn(`${shown(key)} is drained at ${admin}, but ${lateText(effect)}`);
      return { admin, confirmed: false, answer: effect };
    }
    // A wait for proxies has lasted; another answer comes at once.
    if (effect?.acked !== false) await sleep(clock, Math.min(idleMs, leftMs));
  }
  say(doneText(shown(key), effect));
  if (effect.hosts.length > 0) for (const line of leftText(effect)) say(`  ${line}`);
  return { admin, confirmed: true, answer: effect };
}

/** Whether nothing is in flight: where proxies have the instance, some of them say so. */
function isIdle({ hosts, inFlight }: Effect): boolean {
  return inFlight === undefined ? hosts.length === 0 : inFlight.requests === 0;
}

/** Whether an instance with requests in flight is no longer declared: proxies have them, and do not tell. */
function isRemoved(before: Effect | undefined, { hosts }: Effect): before is Effect {
  return before !== undefined && !isIdle(before) && hosts.length === 0;
}

function doneText(instance: string, effect: Effect): string {
  if (effect.hosts.length === 0)
    return `${instance} is drained in ${effect.idc}, too, where no proxy sends to it directly.`;
  const forgiven = (effect.forgiven ?? []).length === 0 ? '' : `, except ${effect.forgiven?.join(', ')}`;
  return `${instance} is drained in ${effect.idc}: every connected proxy has confirmed${forgiven}; ${inFlightText(effect)}.`;
}

/**
 * Ends the drain of an instance at these control planes, and waits for their proxies. Throws MeshError
 * `conflict` or `unavailable`.
 */
export function undrainAt({ planes, key, timeoutMs, say, warn }: DrainTask): Promise<readonly DrainResult[]> {
  return Promise.all(
    planes.map(async ({ name, client }): Promise<DrainResult> => {
      const query = { wait: 'acked' as const, timeout: `${timeoutMs}ms` };
      const call = { path: key, query, timeoutMs: timeoutMs + answerMsMax, heldMs: timeoutMs };
      const answer = acceptedBody(name, await client.call('undrainInstance', call));
      const { idc, acked, waitingFor = [] } = answer;
      if (acked === false)
        warn(
          `${shown(key)} is no longer drained at ${name}, but not confirmed in time by ${waitingFor.join(', ')}`,
        );
      else say(`${shown(key)} takes requests again in ${idc}: every connected proxy has confirmed.`);
      return { admin: name, confirmed: acked !== false, answer };
    }),
  );
}

function shown({ namespace, name }: InstanceKey): string {
  return `${namespace}/${name}`;
}
