import { countOwn } from '../plan/group.ts';
import { tcpConnectAttempts } from '../plan/tcp.ts';
import type { GroupPlan, Path, RetryCondition } from '../plan/types.ts';
import type { DividedChoice } from './choices.ts';

/** Why a choice of a hop gets its part of the requests; `before`: the choices of lower priorities. */
export function choiceWords(
  choice: DividedChoice,
  before: readonly DividedChoice[],
  plan: GroupPlan,
): string {
  if (choice.forbidden !== undefined) return choice.forbidden;
  switch (choice.to) {
    case 'instances':
      return instancesWords(choice, plan);
    case 'egress':
      return egressWords(choice, before);
    case 'idc':
      return idcWords(choice, before);
  }
}

function instancesWords(choice: DividedChoice, plan: GroupPlan): string {
  const { usable, hosts, percent, idc } = choice;
  const { localShare, lookup } = plan;
  if (lookup === 'request') return 'the host of each request is looked up';
  const drained = countOwn(plan.drained);
  if (hosts.length === 0) {
    if (percent > 0) return 'health checks through its gateways pass';
    return drained === 0 ? `no instance of ${idc} is registered` : allDrainedWords(drained, idc);
  }
  const more = drained === 0 ? '' : `, and ${drained} more ${drained === 1 ? 'is' : 'are'} drained`;
  const count = `${countWords(usable, hosts.length)}${more}`;
  if (localShare !== undefined) return `${idc} keeps ${localShare} % (evacuated, or coming back); ${count}`;
  return usable > 0 && percent < 100 ? `${count}: fewer than half, the rest goes on` : count;
}

function allDrainedWords(count: number, idc: string): string {
  return count === 1
    ? `the only instance of ${idc} is drained`
    : `all ${count} instances of ${idc} are drained`;
}

function egressWords(
  { usable, hosts, percent, idc }: DividedChoice,
  before: readonly DividedChoice[],
): string {
  if (hosts.length === 0) return `${idc} has no egress gateway`;
  if (usable === 0) return 'no egress gateway can be reached';
  if (percent === 100)
    return before.length === 0 ? 'first, while evacuated' : 'no instance can serve: all requests leave';
  return percent > 0 ? 'what the instances leave' : 'next, once fewer than half of the instances can serve';
}

function idcWords({ usable, hosts, percent, idc }: DividedChoice, before: readonly DividedChoice[]): string {
  if (hosts.length === 0) return `${idc} has no ingress gateway`;
  if (usable === 0) return 'no gateway of it can be used';
  const able = before.filter((one) => one.percent > 0).map((one) => one.idc);
  if (percent === 0) return able.length === 0 ? 'not now' : `after ${able.join(', ')}`;
  return before.length === 0 ? 'first in order' : 'the first in order that may and can';
}

/** `2 of 3 can serve`. */
export function countWords(usable: number, all: number): string {
  return usable === 0 ? `none of ${all} can serve` : `${usable} of ${all} can serve`;
}

const conditionWords: Readonly<Record<RetryCondition, string>> = {
  unsent: 'it was never sent',
  'told-unsent': 'a proxy says that no instance had it',
  'told-nobody': 'the other IDC has nobody for it',
  reset: 'the connection broke',
  'gateway-error': 'the answer is 502, 503 or 504',
};

/** What a listener tries again for a method; of a TCP Group, for a connection. */
export function retryWords(path: Path, method: string, isTcp: boolean): string {
  return isTcp ? connectionWords(path) : requestWords(path, method);
}

/** Between gateways a connection is a CONNECT; a sidecar tries one instance after another. */
function connectionWords({ listener, retry: { other } }: Path): string {
  const retries = listener === 'outbound' ? tcpConnectAttempts - 1 : other.retries;
  const often = retries === 1 ? 'once' : `up to ${retries} times`;
  const again = retries === 0 ? 'is not tried again' : `is tried again ${often}`;
  return `A connection that cannot be opened ${again}.`;
}

function requestWords({ retry }: Path, method: string): string {
  const rule = retry.idempotentMethods.includes(method) ? retry.idempotent : retry.other;
  if (rule.retries === 0) return `${method} is not tried again.`;
  const times = rule.retries === 1 ? 'once' : `up to ${rule.retries} times`;
  const on = rule.on.map((one) => conditionWords[one]);
  const last = on.pop() ?? '';
  const when = on.length === 0 ? last : `${on.join(', ')}${on.length > 1 ? ',' : ''} or ${last}`;
  const hedged = rule.hedged ? ` Another try begins beside one that takes ${rule.perTryMs} ms.` : '';
  return `${method} is tried again ${times} if ${when}.${hedged}`;
}

/** `a, b or c`. */
export function listWords(words: readonly string[], and: 'and' | 'or' = 'and'): string {
  const last = words.at(-1) ?? '';
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} ${and} ${last}`;
}
