import type { Finding } from '../../model/finding.ts';

/** The identity of a connected proxy. Times in milliseconds. */
export interface ConnectedNode {
  readonly id: string;
  /** `address:port` of the peer. */
  readonly peer: string;
  readonly connectedForMs: number;
  /** Since its last answer; undefined: none yet. */
  readonly answeredAgoMs: number | undefined;
}

/** A silent connection is dropped after 15 s: until then a reconnected Envoy looks like two. */
const foundMs = 20_000;

/**
 * One problem for each node id that several connected proxies use. Reported when the older stream has
 * answered since the newer one came, or when both are older than a dead one could be.
 */
export function describeDuplicateNodes(nodes: readonly ConnectedNode[]): readonly Finding[] {
  const byId = new Map<string, ConnectedNode[]>();
  for (const node of nodes) {
    const same = byId.get(node.id);
    if (same === undefined) byId.set(node.id, [node]);
    else same.push(node);
  }
  return [...byId].flatMap(([id, same]): Finding[] => {
    const newest = Math.min(...same.map(({ connectedForMs }) => connectedForMs));
    const lives = ({ connectedForMs, answeredAgoMs = Number.POSITIVE_INFINITY }: ConnectedNode) =>
      newest >= foundMs || connectedForMs === newest || answeredAgoMs < newest;
    // Streams of one connection belong to one proxy: each type may have its own.
    const peers = [...new Set(same.filter(lives).map(({ peer }) => peer))];
    if (peers.length < 2) return [];
    const message = `${peers.length} proxies have this node id, connected from ${peers.slice(0, 10).join(', ')}: an ACK or NACK of one counts for both, and metrics and logs do not tell them apart. Give each its own (isthmus bootstrap --id); for a hot restart of one Envoy it ends with the old process.`;
    return [{ code: 'DuplicateNodeId', severity: 'warning', where: id, path: '', message }];
  });
}
