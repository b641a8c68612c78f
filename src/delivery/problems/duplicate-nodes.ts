import type { Finding } from '../../model/finding.ts';
import type { DeclaredGateway } from './missing-gateways.ts';

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
  return [...Map.groupBy(nodes, ({ id }) => id)].flatMap(([id, same]): Finding[] => {
    // Streams of one connection belong to one proxy: each type may have its own.
    const peers = [...new Set(living(same).map(({ peer }) => peer))];
    if (peers.length < 2) return [];
    const message = `${peers.length} proxies have this node id, connected from ${peers.slice(0, 10).join(', ')}: an ACK or NACK of one counts for both, and metrics and logs do not tell them apart. Give each its own (isthmus bootstrap --id); for a hot restart of one Envoy it ends with the old process.`;
    return [{ code: 'DuplicateNodeId', severity: 'warning', where: id, path: '', message }];
  });
}

/**
 * One problem for each gateway of an Idc at whose address several connected proxies listen, told as soon as
 * they are known to live.
 */
export function describeSharedGateways(
  idc: string,
  gateways: readonly DeclaredGateway[],
  nodes: readonly ConnectedNode[],
): readonly Finding[] {
  return gateways.flatMap(({ role, addresses, exact }): Finding[] => {
    const ids = [...new Set(living(nodes.filter(({ id }) => exact.includes(id))).map(({ id }) => id))].sort();
    if (ids.length < 2) return [];
    const message = `${ids.slice(0, 10).join(', ')} listen at the address of one ${role} gateway, ${addresses.join(' and ')}: a request reaches either. Give each its own address or port, and an entry in spec.${role} of Idc ${idc}; or stop those that were replaced.`;
    return [
      { code: 'SharedListener', severity: 'warning', where: `Idc ${idc}`, path: `spec.${role}`, message },
    ];
  });
}

/** Those that live: of several a silent one may be what a newer one has replaced. */
function living(same: readonly ConnectedNode[]): readonly ConnectedNode[] {
  const newest = Math.min(...same.map(({ connectedForMs }) => connectedForMs));
  return same.filter(
    ({ connectedForMs, answeredAgoMs = Number.POSITIVE_INFINITY }) =>
      newest >= foundMs || connectedForMs === newest || answeredAgoMs < newest,
  );
}
