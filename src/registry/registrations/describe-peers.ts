import type { Finding } from '../../model/finding.ts';
import type { PeerStatus } from '../source.ts';
import type { PeerWait } from './peers.ts';

/** The problem of a peer, as text; undefined: none. */
export function describePeer({ state, heardAgoMs, why, keptThereAlone }: PeerStatus): string | undefined {
  if (state === 'stranger')
    return 'replicates registrations from here, and --peer-admin does not name it: name its admin address, or what registers there is lost with it.';
  if (state !== 'away') return undefined;
  const since =
    heardAgoMs === undefined ? 'has not answered since the start' : `has not answered for ${ago(heardAgoMs)}`;
  const stay =
    keptThereAlone === 0
      ? ''
      : ` ${keptThereAlone} instance${keptThereAlone === 1 ? '' : 's'} that only it heard of stay${keptThereAlone === 1 ? 's' : ''} as it last said, up to --peer-keep-limit.`;
  return `${since} (${why}); what registers there alone is not known here.${stay}`;
}

/** The same as problems. */
export function peerProblems(peers: readonly PeerStatus[]): readonly Finding[] {
  return peers.flatMap((peer) => {
    const words = describePeer(peer);
    if (words === undefined) return [];
    const message = peer.state === 'away' ? `${words} Start it, or remove it from --peer-admin.` : words;
    const code = peer.state === 'away' ? 'PeerAway' : 'PeerNotNamed';
    return [{ code, severity: 'warning', where: `--peer-admin ${peer.name}`, path: '', message }];
  });
}

/** What a start waits for at other control planes, for how long, and what to do. */
export function describeWait(wait: PeerWait | undefined): string | undefined {
  if (wait === undefined) return undefined;
  const { isComplete, heard, silent, leftMs } = wait;
  const missing = silent.map(({ name, why }) => `${name} (${why})`).join(', ');
  const left = `${Math.ceil(leftMs / 1000)} s`;
  if (isComplete)
    return `registrations at other control planes while this one was down are not known yet: it waits ${left} more for ${missing} (--peer-start-limit), then continues without.`;
  const isNew = 'the file of --registrations is new, so that what this control plane lacks is not known';
  if (heard.length === 0)
    return `${isNew}: it waits, without a limit, until another control plane answers: ${missing}. Start that one, or correct --peer-admin. If there is no other one yet, start this one once without --peer-admin: from then on its file counts as complete.`;
  if (silent.length === 0)
    return `${isNew}, and the files of ${heard.join(', ')} are as new: it waits ${left} more for one that has more, then goes on.`;
  return `${isNew}: it waits ${left} more for ${missing}, then goes on with what ${heard.join(', ')} told.`;
}

function ago(ms: number): string {
  return ms < 60_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`;
}
