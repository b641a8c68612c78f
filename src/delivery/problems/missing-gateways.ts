import type { Finding } from '../../model/finding.ts';
import type { Idc } from '../../model/idc.ts';
import type { NodeScope } from '../../model/node.ts';
import { type ListenAddress, showAddress } from '../../model/values/listen-address.ts';

/** A gateway that an Idc declares, and who listens there. */
export interface DeclaredGateway {
  readonly role: 'ingress' | 'egress';
  /** `IP:PORT` of its two listeners. */
  readonly addresses: readonly string[];
  /** Node ids of the connected gateways that listen at both; several: an unspecified address may be any. */
  readonly nodes: readonly string[];
  /** Those of them that listen at these very addresses. */
  readonly exact: readonly string[];
}

interface ConnectedNode {
  readonly node: string;
  readonly scope: NodeScope;
}

/** Each gateway of the Idc, with the connected nodes that listen there. */
export function placeGateways(
  nodes: readonly ConnectedNode[],
  idc: Idc | undefined,
): readonly DeclaredGateway[] {
  const declared = (role: DeclaredGateway['role'], at: readonly ListenAddress[]): DeclaredGateway => {
    const here = nodes.filter(({ scope }) => {
      const listens = listenersOf(scope, role);
      return listens.length > 0 && at.every((one, i) => isAt(listens[i] as ListenAddress, one));
    });
    const idsOf = (list: readonly ConnectedNode[]) => [...new Set(list.map(({ node }) => node))].sort();
    const exact = here.filter(({ scope }) =>
      listenersOf(scope, role).every(({ address }, i) => address === at[i]?.address),
    );
    return { role, addresses: at.map(showAddress), nodes: idsOf(here), exact: idsOf(exact) };
  };
  const { ingress = [], egress = [] } = idc?.spec ?? {};
  return [
    ...ingress.map(({ address, edgePort, peerPort }) =>
      declared('ingress', [
        { address, port: edgePort },
        { address, port: peerPort },
      ]),
    ),
    ...egress.map(({ address, sidecarPort, ingressPort }) =>
      declared('egress', [
        { address, port: sidecarPort },
        { address, port: ingressPort },
      ]),
    ),
  ];
}

/**
 * One problem for each declared gateway that is not connected. Where a connected gateway of its role is at no
 * declared address (`gateways` does not name it), it may be behind that address: then nothing is missing.
 */
export function describeMissing(
  idc: string,
  gateways: readonly Omit<DeclaredGateway, 'exact'>[],
  nodes: readonly { readonly id: string; readonly role: string }[],
): readonly Finding[] {
  const placed = new Set(gateways.flatMap((one) => one.nodes));
  const isDoubtful = (role: string) => nodes.some((node) => node.role === role && !placed.has(node.id));
  return gateways
    .filter((one) => one.nodes.length === 0 && !isDoubtful(one.role))
    .map(({ role, addresses }): Finding => {
      const [first = '', second = ''] = addresses;
      const message = `Idc ${idc} declares an ${role} gateway at ${first} and ${second}, and no connected proxy listens there: start it, or take it out of the Idc`;
      return {
        code: 'GatewayMissing',
        severity: 'warning',
        where: `Idc ${idc}`,
        path: `spec.${role}`,
        message,
      };
    });
}

/** The two listeners of a gateway of this role; none: it is no such gateway. */
function listenersOf(scope: NodeScope, role: DeclaredGateway['role']): readonly ListenAddress[] {
  if (scope.role !== role) return [];
  if (scope.role === 'ingress') return [scope.edge, scope.peer];
  return scope.role === 'egress' ? [scope.sidecar, scope.ingress] : [];
}

function isAt(listen: ListenAddress, { address, port }: ListenAddress): boolean {
  const isAny = listen.address === '0.0.0.0' || listen.address === '::';
  return listen.port === port && (isAny || listen.address === address);
}
