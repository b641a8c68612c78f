import type { Explanation } from '../contract/explain.ts';
import type { GroupView } from '../index/view.ts';
import { callsNobody } from '../model/node.ts';
import type { GroupPlan } from '../plan/types.ts';
import type { AskedProxy } from '../who/types.ts';
import type { WayFacts } from './types.ts';
import type { RequestWay } from './walk.ts';

/** How a way ends, as it is answered. */
export function endOf(
  { idc }: WayFacts,
  { end, hops }: RequestWay,
): Pick<Explanation, 'served' | 'by' | 'status' | 'summary'> {
  if (end.kind === 'nobody')
    return { served: 'nobody', status: end.status, summary: `NOBODY serves it (${end.status}): ${end.why}.` };
  const doubt =
    hops[0]?.health === 'proxies'
      ? ''
      : ', if what is registered is healthy: the proxy where it begins does not tell';
  if (end.idc === idc)
    return { served: 'here', by: idc, summary: `${idc} serves it, where it begins${doubt}.` };
  const crossings = (hops.at(-1)?.trail.length ?? 1) - 1;
  const words = `after ${crossings} crossing${crossings === 1 ? '' : 's'}`;
  return { served: 'away', by: end.idc, summary: `${end.idc} serves it, ${words}${doubt}.` };
}

/** What else is to be known of a way. */
export function notesOf(
  facts: WayFacts,
  { hops }: RequestWay,
  { trail, path }: Explanation['request'],
  isAssumed: boolean,
): readonly string[] {
  const { caller, idc, plans, told } = facts;
  const own = hops.filter((hop) => hop.idc !== idc && !told.has(hop.idc));
  const far = [...new Set(own.map((hop) => hop.idc))];
  const plan = plans.get(idc);
  const isUnchecked = isAssumed && plan?.health === undefined && plan?.lookup !== 'request';
  return [
    trail.length > 0 && caller.role !== 'ingress'
      ? `A trail that a workload sends is dropped: it begins at the egress gateway. For a request from another IDC give --from ${idc}/ingress-1 --trail ${trail.join(',')}.`
      : '',
    path.startsWith('/.isthmus/') ? 'Paths below /.isthmus/ are answered by gateways themselves.' : '',
    far.length === 0
      ? ''
      : `What happens in ${far.join(', ')} is by the registry of ${idc}: ask a control plane there for the health of its instances.`,
    isUnchecked
      ? 'The Group has no health checks: what is down is found out by requests that fail and are tried again.'
      : '',
  ].filter((words) => words !== '');
}

/** The answer where the caller, called `at`, does not have the host: its proxy answers 404 itself. */
export function describeUnseen(
  group: GroupView | undefined,
  plans: readonly GroupPlan[],
  caller: AskedProxy,
  at: string,
): Omit<Explanation, 'host' | 'idc' | 'at' | 'from' | 'request' | 'others'> {
  const [{ group: port, protocol }] = plans as [GroupPlan];
  const why = unseenWords(group, caller);
  const who = caller.role === 'ingress' ? at : caller.node;
  const decision = `${who} answers 404, unknown-host: ${why}.`;
  const hop = {
    idc: caller.scope.idc,
    at,
    listener: caller.role === 'ingress' ? 'edge' : 'outbound',
    trail: [],
  } as const;
  const entry = group?.entry.meta;
  const by =
    entry === undefined
      ? []
      : [
          {
            kind: 'ServiceEntry',
            namespace: entry.namespace,
            name: entry.name,
            origin: entry.origin,
            does: 'declares the host',
          } as const,
        ];
  return {
    ...{ port: port.port, protocol, served: 'nobody', status: 404 },
    summary: `NOBODY serves it (404): ${why}.`,
    hops: [{ ...hop, decision, by, choices: [], retries: '', health: 'registry', readAt: [] }],
    ...{ assumed: [], notes: [], refused: [], silent: [] },
  };
}

function unseenWords(group: GroupView | undefined, { scope, node }: AskedProxy): string {
  const meta = group?.entry.meta;
  if (scope.role === 'ingress' || scope.role === 'egress') return 'gateways do not serve the host';
  if (scope.role === 'sidecar' && callsNobody(scope)) return `${node} calls nobody`;
  const exported = group?.entry.spec.exportTo;
  if (exported !== undefined && !exported.includes(scope.namespace))
    return `ServiceEntry ${meta?.namespace}/${meta?.name} is not exported to namespace ${scope.namespace} (exportTo)`;
  return scope.dependsOn === undefined
    ? `the host is of namespace ${meta?.namespace}, and ${node} has the hosts of ${scope.namespace} alone: start it with --depends-on ${group?.host}`
    : `${node} does not depend on it: add it to its --depends-on`;
}
