import { counted } from '../../base/text/counted.ts';
import type { ToldEvent } from '../../client/events-client.ts';
import { durationText } from '../../model/values/duration.ts';

type Of<Kind extends ToldEvent['kind']> = Extract<ToldEvent, { readonly kind: Kind }>;

/** An event in words. It may have texts of others: see `printable`. */
export function eventText(event: ToldEvent): string {
  const words = wordsOf(event);
  return event.notNoted === undefined ? words : `${words} (and ${event.notNoted} before it, not kept)`;
}

function wordsOf(event: ToldEvent): string {
  switch (event.kind) {
    case 'controlplane':
      return controlPlaneText(event);
    case 'change':
      return changeText(event);
    case 'push':
      return pushText(event);
    case 'nack':
      return nackText(event);
    case 'failover':
      return failoverText(event);
    case 'ejection':
      return ejectionText(event);
    case 'reach':
      return reachText(event);
    case 'evacuation':
      return evacuationText(event);
    case 'drain':
      return drainText(event);
    case 'shed':
      return shedText(event);
    case 'gateway':
      return gatewayText(event);
    case 'problem':
      return problemText(event);
    case 'trust':
      return trustText(event);
    default:
      // Of a control plane that is newer than this command.
      return JSON.stringify(event);
  }
}

function controlPlaneText({
  phase,
  version,
  before,
  lastHeardAt,
  groups,
  signal,
}: Of<'controlplane'>): string {
  if (phase === 'ready') return `control plane ready, ${counted(groups ?? 0, 'Group')}`;
  if (phase === 'stopping') return `control plane stops${signal === undefined ? '' : ` (${signal})`}`;
  const ended = {
    stopped: '; the one before it stopped as it was told',
    died: `; the one before it DIED, last heard of at ${lastHeardAt}`,
    none: '',
  }[before ?? 'none'];
  return `control plane ${version} started${ended}`;
}

function changeText({ source, change, object, fields = [], moreFields = 0, ...event }: Of<'change'>): string {
  if (event.more !== undefined) return `${counted(event.more, 'more object')} changed (${source})`;
  const list = fields.map(({ path, from = 'unset', to = 'unset' }) => `${path} ${from} → ${to}`);
  if (moreFields > 0) list.push('and more');
  return `${object} ${change}${list.length > 0 ? `: ${list.join(', ')}` : ''}`;
}

function pushText({ phase, what, events, subscriptions, ms, nacks = 0, late = [] }: Of<'push'>): string {
  const of = events > 1 ? `${what} and ${events - 1} more` : what;
  const refused = nacks > 0 ? `, ${nacks} REFUSED` : '';
  if (phase === 'late') return `push of ${of} NOT ACKed in time by ${late.join(', ')}${refused}`;
  const to = counted(subscriptions, 'subscription');
  return ms === undefined
    ? `push of ${of}: nobody had to answer`
    : `push of ${of}: ${to} answered within ${durationText(ms)}${refused}`;
}

function nackText({ node, type, refused, message, more }: Of<'nack'>): string {
  const what = refused.length === 0 ? type : `${type} ${refused.join(', ')}`;
  const others = more === undefined ? '' : `, as ${counted(more - 1, 'other')} did`;
  return `${node} REFUSED ${what}${others}: ${message}`;
}

const causes = {
  registry: 'none is registered',
  drained: 'all are drained',
  checks: 'too few pass their health check',
  unreached: 'none accepts connections',
  proxies: 'ingress gateways consider none healthy',
} as const;

function failoverText(event: Of<'failover'>): string {
  const { phase, group, instances, lastedMs } = event;
  switch (phase) {
    case 'begin':
      return `${group} FAILED OVER, ${takerText(event)}: ${unableText(event)}`;
    case 'returning':
      return `${group} returns gradually, ${counted(instances, 'instance')}`;
    case 'held':
      return `${group} does not return yet: too few instances pass their health check`;
    case 'end': {
      const lasted = lastedMs === undefined ? '' : ` after ${durationText(lastedMs)}`;
      return `${group} is HOME again${lasted}, ${counted(instances, 'instance')}`;
    }
  }
}

/** Who takes over. */
function takerText({ to, unable = [] }: Of<'failover'>): string {
  if (to === undefined)
    return unable.length === 0
      ? 'no other IDC may serve it'
      : `nobody is known to serve it, ${unable.join(', ')} ${unable.length === 1 ? 'is' : 'are'} not able to`;
  return `requests go to ${to}${unable.length === 0 ? '' : ` (${unable.join(', ')} not able to)`}`;
}

/** Why no instance can serve. */
function unableText({ why, instances, drained = 0 }: Of<'failover'>): string {
  const all = drained === 1 ? 'its only instance is drained' : `all ${drained} instances are drained`;
  if (why === 'drained' && drained > 0) return all;
  if (why === 'registry' && instances === 0) return 'no instance is registered';
  const cause = why === undefined ? '' : ` (${causes[why]})`;
  const others = drained === 0 ? '' : `, and ${drained} more ${drained === 1 ? 'is' : 'are'} drained`;
  return `none of ${counted(instances, 'instance')} can serve${cause}${others}`;
}

function ejectionText({ phase, group, target, node }: Of<'ejection'>): string {
  const what = `${target} of ${group}`;
  return phase === 'begin' ? `${node} EJECTED ${what}` : `${node} no longer ejects ${what}`;
}

function reachText({ phase, targets, gateways = {}, more }: Of<'reach'>): string {
  const names = listed(
    targets.map((at) => (gateways[at] === undefined ? at : `${gateways[at]} (${at})`)),
    more,
  );
  switch (phase) {
    case 'refuse':
      return `no connection to ${names}`;
    case 'hung':
      return `no answer from ${names}: considered HUNG`;
    case 'back':
      return `reached again, or removed: ${names}`;
  }
}

function evacuationText({
  phase,
  name,
  idc,
  percent,
  groups,
  until,
  reason,
  times,
}: Of<'evacuation'>): string {
  const of = groups === undefined ? idc : `${idc} for ${groups.join(', ')}`;
  const why = reason === undefined ? '' : ` (${reason})`;
  const often = times === undefined ? '' : `, ${times} times`;
  if (phase === 'ended' || phase === 'expired') return `evacuation ${name} of ${of} ${phase}`;
  return `evacuation ${name} of ${of} ${phase}${often}: ${percent} % leave, until ${until}${why}`;
}

function drainText({ phase, instance, until, reason, operator }: Of<'drain'>): string {
  if (phase === 'ended') return `${instance} is no longer drained`;
  if (phase === 'expired') return `${instance} is no longer drained: its time is over`;
  const who = operator === undefined ? '' : ` by ${operator}`;
  const end = until === undefined ? '' : `, until ${until}`;
  const why = reason === undefined ? '' : ` (${reason})`;
  return `${instance} ${phase === 'begun' ? 'DRAINED' : 'still drained'}${who}${end}${why}`;
}

function shedText({ phase, usedMiB, limitMiB, limit, peer, count }: Of<'shed'>): string {
  const of = `${usedMiB} of ${limitMiB} MiB`;
  if (phase === 'begin') return `memory is nearly full (${of}): new xDS streams are REFUSED`;
  if (phase === 'end') return `memory is available again (${of}): new xDS streams are accepted`;
  return `${counted(count ?? 1, 'xDS client')} turned away by the limit ${limit}, such as ${peer}`;
}

function trustText({ phase, node, peer, reason, until, roots, count = 1 }: Of<'trust'>): string {
  if (phase === 'updated')
    return `certificate of the xDS port replaced, valid until ${until}; ${counted(roots ?? 0, 'root')} trusted`;
  if (phase === 'kept') return `certificate of the xDS port NOT replaced: ${reason}`;
  if (phase === 'ended') return `${counted(count, 'xDS stream')} ENDED: ${reason}`;
  return `${counted(count, 'xDS client')} REFUSED, such as node ${node} (${peer}): ${reason}`;
}

function gatewayText({ phase, node, role, peer, goneForMs, times, inMs = 0 }: Of<'gateway'>): string {
  const who = `${role} gateway ${node} (${peer})`;
  if (times !== undefined) {
    const often = `reconnected ${counted(times, 'time')} in ${durationText(inMs)}`;
    return phase === 'lost' ? `${who} ${often}, and LOST its stream` : `${who} ${often}`;
  }
  if (phase === 'lost') return `${who} LOST its stream`;
  if (phase === 'connected') return `${who} connected`;
  return `${who} is back${goneForMs === undefined ? '' : ` after ${durationText(goneForMs)}`}`;
}

function problemText({
  phase,
  source,
  where,
  path,
  code,
  problem,
  times,
  inMs = 0,
  more,
}: Of<'problem'>): string {
  const isOver = phase === 'end';
  if (more !== undefined)
    return `${counted(more, 'more problem')} of ${source}${isOver ? ' over' : ''}: isthmus status`;
  const often =
    times === undefined ? '' : ` (it came and went ${counted(times, 'time')} in ${durationText(inMs)})`;
  const place = path === undefined ? where : `${where}: ${path}`;
  return `${isOver ? 'problem is over' : 'PROBLEM'}${often}: ${place}: ${problem} [${code}]`;
}

function listed(names: readonly string[], more: number | undefined): string {
  return more === undefined ? names.join(', ') : `${names.join(', ')} and ${more} more`;
}
