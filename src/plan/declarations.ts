import type { Declaration, GroupView, Instance } from '../index/view.ts';
import { type MergedPort, mergePorts } from '../model/declarations.ts';
import type { ServiceEntry, ServicePort } from '../model/service.ts';
import { httpVersion, type PlanContext, planGroup, portOf } from './group.ts';
import { hostAsInstance, isItsOwnEndpoint } from './naming.ts';
import type { GroupPlan } from './types.ts';

/**
 * Plans a Group. If several ServiceEntries declare it, each port is taken from the first that has it, with
 * the instances of all.
 */
export function planHost(view: GroupView, context: PlanContext): readonly GroupPlan[] {
  if (view.siblings === undefined) return planGroup(view, context);
  const { siblings, others: _, ...own } = view;
  const declared: readonly Declaration[] = [own, ...siblings];
  const { ports, refused } = mergePorts(declared.map(({ entry }) => entry));
  const planned = ports.map((merged) => ({
    port: merged.port,
    plans: planGroup(partOf(view, declared, merged, context.localIdc), context),
  }));
  const plans = planned.flatMap((one) => one.plans);
  const first = plans.find(({ protocol }) => protocol !== 'tcp');
  const isHttp = (port: ServicePort) => httpVersion(port) !== undefined;
  const closed = [
    ...refused.filter((one) => isHttp(one.port) && !isHttp(one.first.port)),
    ...planned.filter((one) => isHttp(one.port) && one.plans.length === 0),
  ];
  const closedPorts = [...new Set(closed.map(({ port }) => port.number))];
  return plans.map((plan) => ({
    ...plan,
    isDefaultPort: plan === first,
    ...(plan === first && closedPorts.length > 0 ? { closedPorts } : {}),
  }));
}

/** The Group reduced to one port. */
function partOf(
  view: GroupView,
  declared: readonly Declaration[],
  { port, from }: MergedPort,
  localIdc: string,
): GroupView {
  const { entry, drGroup } = declared[from[0].entry] as Declaration;
  const { host, rule, seenBy } = view;
  const instances = from.flatMap((one): readonly Instance[] => {
    const part = declared[one.entry] as Declaration;
    if (from.length === 1) return part.instances;
    const all =
      isLookedUp(entry) && isItsOwnEndpoint({ host, ...part })
        ? [hostAsInstance(host, localIdc)]
        : part.instances;
    return all.map((instance) => ({ ...instance, ports: { [port.name]: portOf(instance, one.port) } }));
  });
  return {
    host,
    entry: { ...entry, spec: { ...entry.spec, ports: [port] } },
    instances: from.length === 1 ? instances : withoutTwins(instances, port),
    ...(drGroup && { drGroup }),
    ...(rule && { rule }),
    ...(seenBy && { seenBy }),
  };
}

/** An instance selected by two ServiceEntries counts once, with the larger weight. */
function withoutTwins(instances: readonly Instance[], { name }: ServicePort): readonly Instance[] {
  const found = new Map<string, Instance>();
  for (const instance of instances) {
    const key = JSON.stringify([instance.idc, instance.locality, instance.address, instance.ports[name]]);
    const known = found.get(key);
    if (known === undefined || known.weight < instance.weight) found.set(key, instance);
  }
  return [...found.values()];
}

function isLookedUp({ spec }: ServiceEntry): boolean {
  return spec.resolution === 'DNS' || spec.resolution === 'DNS_ROUND_ROBIN';
}
