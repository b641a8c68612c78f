import type { Finding } from '../../model/finding.ts';
import type { Idc } from '../../model/idc.ts';
import { isCaller, type NodeScope } from '../../model/node.ts';
import { type ListenAddress, showAddress } from '../../model/values/listen-address.ts';

/** A connected proxy's node id and role. */
interface PlacedNode {
  readonly node: string;
  readonly scope: NodeScope;
}

/** A port of a gateway: its traffic, and where its Idc declares it. */
interface Door {
  readonly listen: ListenAddress;
  readonly field: string;
  readonly who: string;
  readonly option: string;
  readonly declared: readonly ListenAddress[];
}

/**
 * One problem for each gateway port that listens elsewhere than its Idc declares. Peers use the Idc's
 * address, so that the gateway gets no traffic although it is in sync. A gateway that listens on all
 * addresses is compared by port alone.
 */
export function describeMisplaced(nodes: readonly PlacedNode[], idc: Idc | undefined): readonly Finding[] {
  if (idc === undefined) return [];
  return nodes.flatMap(({ node, scope }) =>
    doorsOf(scope, idc)
      .filter(({ listen, declared }) => !declared.some((one) => isAt(listen, one)))
      .map(({ listen, field, who, option, declared }): Finding => {
        const says = declared.length === 0 ? 'none' : [...new Set(declared.map(showAddress))].join(', ');
        const message = `listens on ${showAddress(listen)} for ${who}, and spec.${field} of Idc ${idc.meta.name} declares ${says}, where they connect: correct the Idc, or ${option} of isthmus bootstrap. If a load balancer or NAT forwards from there to here, nothing is wrong.`;
        return { code: 'GatewayMisplaced', severity: 'warning', where: node, path: '', message };
      }),
  );
}

function doorsOf(scope: NodeScope, { spec }: Idc): readonly Door[] {
  if (isCaller(scope)) return [];
  if (scope.role === 'ingress') {
    const at = (port: 'edgePort' | 'peerPort') =>
      spec.ingress.map((one) => ({ address: one.address, port: one[port] }));
    return [
      {
        listen: scope.edge,
        field: 'ingress[].edgePort',
        who: 'clients',
        option: '--edge',
        declared: at('edgePort'),
      },
      {
        ...{ listen: scope.peer, field: 'ingress[].peerPort', who: 'egress gateways of other IDCs' },
        ...{ option: '--peer', declared: at('peerPort') },
      },
    ];
  }
  const at = (port: 'sidecarPort' | 'ingressPort') =>
    spec.egress.map((one) => ({ address: one.address, port: one[port] }));
  return [
    {
      ...{ listen: scope.sidecar, field: 'egress[].sidecarPort', who: 'sidecars' },
      ...{ option: '--sidecar-listen', declared: at('sidecarPort') },
    },
    {
      ...{ listen: scope.ingress, field: 'egress[].ingressPort', who: 'ingress gateways' },
      ...{ option: '--ingress-listen', declared: at('ingressPort') },
    },
  ];
}

function isAt(listen: ListenAddress, { address, port }: ListenAddress): boolean {
  const isAny = listen.address === '0.0.0.0' || listen.address === '::';
  return listen.port === port && (isAny || listen.address === address);
}
