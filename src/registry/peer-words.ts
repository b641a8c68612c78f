import type { PeerStatus } from './peers.ts';
import type { Problem } from './source.ts';

/** What a person is to know of another control plane; undefined: that it is as it should be. */
export function peerWords({ state, heardAgoMs, why, keptThereAlone }: PeerStatus): string | undefined {
  if (state === 'stranger')
    return 'takes registrations over from here, and --peer-admin does not name it: name its admin address, or what registers there is lost with it.';
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
export function peerProblems(peers: readonly PeerStatus[]): readonly Problem[] {
  return peers.flatMap((peer) => {
    const words = peerWords(peer);
    if (words === undefined) return [];
    const message = peer.state === 'away' ? `${words} Start it, or leave it out of --peer-admin.` : words;
    return [{ severity: 'warning', where: `--peer-admin ${peer.name}`, path: '', message }];
  });
}

function ago(ms: number): string {
  return ms < 60_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`;
}
