import { counted } from '../../base/text/counted.ts';
import type { Answer } from '../../contract/contract.ts';
import { durationText } from '../../model/values/duration.ts';

type Effect = Answer<'drainInstance'>['body'];
type Host = Effect['hosts'][number];
type Drained = Answer<'listDrains'>['body']['items'][number];

/** What is left of each host without an instance, a line each. */
export function leftText({ hosts, idc }: Effect): string[] {
  if (hosts.length === 0) return [`No host is served by it in ${idc}.`];
  return hosts.map(hostText);
}

function hostText({ host, port, idc, usable, instances, elsewhere, isLast, isKnownBy }: Host): string {
  const of =
    isKnownBy === 'registry'
      ? `${instances === 1 ? ' is' : ' are'} registered; no proxy could be read`
      : ' can serve';
  const count = isKnownBy === 'registry' ? String(instances) : `${usable} of ${instances}`;
  const rest =
    instances === 0
      ? `no other instance in ${idc}`
      : `${count} other ${instances === 1 ? 'instance' : 'instances'} in ${idc}${of}`;
  const next = elsewhere.length === 0 ? '' : `; then ${elsewhere.join(', ')}`;
  const last = isLast
    ? `${elsewhere.length === 0 ? 'NOBODY would serve it' : 'it would leave the IDC'}: `
    : '';
  return `${host}:${port}: ${last}${rest}${next}.`;
}

/** What proxies still have at an instance; '' if no proxy could be read. */
export function inFlightText({ inFlight }: Effect): string {
  if (inFlight === undefined) return 'what is in flight there is not known, as no proxy could be read';
  const { requests, read, connected } = inFlight;
  const by =
    read === connected
      ? `by ${counted(read, 'proxy', 'proxies')}`
      : `by ${read} of ${counted(connected, 'proxy', 'proxies')}, the others cannot be read`;
  const are = requests === 1 ? '1 request is' : `${requests === 0 ? 'no' : requests} requests are`;
  return `${are} in flight there, ${by}`;
}

/** Why nobody can tell any more whether an instance is idle, by what was last heard of it. */
export function removedText(before: Effect): string {
  return `was removed in ${before.idc} while it was waited for: whether it is idle can no longer be told (at last, ${inFlightText(before)})`;
}

/** What a drain has not reached when its time is over; undefined: its control plane has not answered. */
export function lateText(effect: Effect | undefined): string {
  if (effect?.acked !== true)
    return `not confirmed in time by ${(effect?.waitingFor ?? ['its proxies']).join(', ')}`;
  return `not idle in time: ${inFlightText(effect)}`;
}

/** A drained instance in a line, for lists. */
export function drainedText(
  { namespace, name, since, until, reason, by, isDeclared }: Drained,
  nowWallMs: number,
): string {
  const ago = durationText(Math.max(0, nowWallMs - Date.parse(since)));
  const end =
    until === undefined ? '' : `, ends in ${durationText(Math.max(0, Date.parse(until) - nowWallMs))}`;
  const who = by === undefined ? '' : ` by ${by}`;
  const why = reason === undefined ? '' : ` (${reason})`;
  const gone = isDeclared ? '' : '; no such instance is declared now';
  return `Drained: ${namespace}/${name}${who}, ${ago} ago${end}${why}${gone}.`;
}
