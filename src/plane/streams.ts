import { MeshError } from '../base/error.ts';
import type { PushAnswer } from '../delivery/ledger.ts';
import type { RosterStream } from '../delivery/roster.ts';
import type { ProxyRefusal } from '../explain/refused.ts';
import { clustersAddressOf, type NodeScope, parseNodeScope } from '../model/node.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';
import type { Ack, Node, StreamInfo } from '../xds/events.ts';
import type { XdsServer } from '../xds/xds.ts';

/** What a proxy says of itself. `clusters`: where it shows them; absent: nowhere. */
interface Said {
  readonly scope: NodeScope;
  readonly clusters: ListenAddress | undefined;
}

/** What has been read, by the node of a stream, which never changes. */
const read = new WeakMap<Node, Said>();

/** Reads a node once for each stream. Throws MeshError `invalid`. */
function saidBy(node: Node): Said {
  const known = read.get(node);
  if (known !== undefined) return known;
  const { metadata } = node;
  const said = { scope: parseNodeScope(metadata), clusters: clustersAddressOf(metadata) };
  read.set(node, said);
  return said;
}

/** The scope of a proxy. Throws MeshError `invalid`. */
export function scopeOf(node: Node): NodeScope {
  return saidBy(node).scope;
}

/** A proxy's class: equal scopes get equal resources. Throws MeshError `invalid`. */
export function classOf(node: Node, idc: string): string {
  const scope = scopeOf(node);
  if (scope.idc !== idc) {
    const message = `node '${node.id}' is in IDC '${scope.idc}', this control plane in '${idc}'; give it the --xds of its own IDC`;
    throw new MeshError('invalid', message);
  }
  return JSON.stringify(scope);
}

/** A proxy's ACK or NACK for the ledger. */
export function answerOf({ stream, type, sentAtMs, ackedAtMs, causes, superseded }: Ack): PushAnswer {
  return { node: stream.node.id ?? '', type, sentAtMs, ackedAtMs, causes, superseded };
}

/** A stream for the roster. */
export function rosterStream({ id, node, peer }: StreamInfo): RosterStream {
  const { scope, clusters } = saidBy(node);
  return {
    ...{ id, node: node.id ?? '', role: scope.role, idc: scope.idc, peer: peer.address, scope },
    ...(clusters && { clusters }),
  };
}

/** What connected proxies refuse at this moment, by type. */
export function refusalsOf(xds: Pick<XdsServer, 'status'>): readonly ProxyRefusal[] {
  return xds.status().flatMap(({ node, types }) =>
    types.flatMap(({ type, nack }): ProxyRefusal[] => {
      if (nack === undefined) return [];
      const { message, names, lacking } = nack;
      return [{ node: node.id ?? '', type, message, names, lacking }];
    }),
  );
}

/** Levels of the xDS port's limits by name, summed over all listening addresses. */
export function xdsLevels(xds: Pick<XdsServer, 'levels' | 'kept'>): Readonly<Record<string, number>> {
  const sum = { ...xds.kept() } as Record<string, number>;
  for (const { turnedAway: _, ...levels } of xds.levels())
    for (const [of, level] of Object.entries(levels)) sum[of] = (sum[of] ?? 0) + level;
  return sum;
}
