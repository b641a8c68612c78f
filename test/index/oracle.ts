import type { Declaration, GroupView, Instance, MeshView } from '../../src/index/view.ts';
import type { Audience } from '../../src/model/audience.ts';
import type { Evacuation } from '../../src/model/evacuation.ts';
import type { DrGroup, Idc } from '../../src/model/idc.ts';
import type { Labels } from '../../src/model/meta.ts';
import type { MeshObject } from '../../src/model/object.ts';
import type { DestinationRule, ServiceEntry, WorkloadEntry, WorkloadSpec } from '../../src/model/service.ts';

/** What the index must show for these objects: written for obviousness, all against all, each time anew. */
export function naiveView(objects: Iterable<MeshObject>, idc: string): MeshView {
  const all = [...objects].sort(
    (a, b) => compare(a.meta.namespace, b.meta.namespace) || compare(a.meta.name, b.meta.name),
  );
  const entries = all.filter((object) => object.kind === 'ServiceEntry');
  const workloads = all.filter((object) => object.kind === 'WorkloadEntry');
  const rules = all.filter((object) => object.kind === 'DestinationRule');
  const drGroups = all.filter((object) => object.kind === 'DrGroup');
  const idcs = all.filter((object) => object.kind === 'Idc');
  const groups = new Map<string, GroupView>();
  for (const host of new Set(entries.flatMap((entry) => entry.spec.hosts))) {
    const isPublic = (entry: ServiceEntry) => entry.spec.exportTo === undefined;
    const having = entries.filter((entry) => entry.spec.hosts.includes(host));
    const ranked = [...having.filter(isPublic), ...having.filter((entry) => !isPublic(entry))];
    const first = ranked[0]?.meta.namespace;
    const views = viewsOf(ranked).map(({ declared, seenBy }): GroupView => {
      const [main, ...siblings] = declared.map((entry): Declaration => {
        const drGroup = entry.meta.namespace === first ? drGroupFor(host, entry, drGroups) : undefined;
        return { entry, instances: instancesOf(entry, workloads, idc), ...(drGroup && { drGroup }) };
      }) as [Declaration, ...Declaration[]];
      const rule = ruleFor(host, main.entry, rules);
      return {
        ...main,
        host,
        ...(siblings.length > 0 && { siblings }),
        ...(rule && { rule }),
        ...(seenBy && { seenBy }),
      };
    });
    const [main, ...others] = views;
    if (main !== undefined) groups.set(host, { ...main, ...(others.length > 0 && { others }) });
  }
  const evacuations = all.filter((object) => object.kind === 'Evacuation');
  return {
    groups,
    idcs: new Map(idcs.map((object): [string, Idc] => [object.meta.name, object])),
    evacuations: new Map(evacuations.map((object): [string, Evacuation] => [object.meta.name, object])),
    drains: new Map(),
  };
}

/**
 * What there is to see, and who sees it: asks for each namespace that is named anywhere, and for one that is
 * not.
 */
function viewsOf(
  ranked: readonly ServiceEntry[],
): { declared: readonly ServiceEntry[]; seenBy?: Audience }[] {
  const gateways = ranked.filter(({ meta }) => meta.namespace === ranked[0]?.meta.namespace);
  const uses = (namespace: string) => {
    const seen = ranked.filter(
      ({ spec }) => spec.exportTo === undefined || spec.exportTo.includes(namespace),
    );
    const whose = seen.some(({ meta }) => meta.namespace === namespace) ? namespace : seen[0]?.meta.namespace;
    return seen.filter(({ meta }) => meta.namespace === whose);
  };
  const same = (a: readonly ServiceEntry[], b: readonly ServiceEntry[]) =>
    a.length === b.length && a.every((entry, i) => entry === b[i]);
  const names = [...new Set(ranked.flatMap(({ meta, spec }) => [meta.namespace, ...(spec.exportTo ?? [])]))];
  const wanted = [gateways, uses('elsewhere'), ...names.map(uses)].filter((one) => one.length > 0);
  const distinct = wanted.filter((one, i) => wanted.findIndex((other) => same(one, other)) === i);
  return distinct.map((declared, i) => {
    const all = same(uses('elsewhere'), declared);
    const but = names.filter((name) => same(uses(name), declared) !== all).sort();
    if (i === 0 && all && but.length === 0) return { declared };
    return { declared, seenBy: { gateways: i === 0, all, exceptNamespaces: but } };
  });
}

function instancesOf(entry: ServiceEntry, workloads: readonly WorkloadEntry[], idc: string): Instance[] {
  const selector = entry.spec.workloadSelector;
  if (selector === undefined)
    return entry.spec.endpoints.map((endpoint) => instanceOf(endpoint, endpoint.labels, idc));
  const { namespace } = entry.meta;
  return workloads
    .filter((workload) => workload.meta.namespace === namespace)
    .map((workload) => ({ workload, labels: { ...workload.spec.labels, ...workload.meta.labels } }))
    .filter(({ labels }) => selects(selector, labels))
    .map(({ workload, labels }) => ({
      ...instanceOf(workload.spec, labels, idc),
      ref: { kind: 'WorkloadEntry', namespace, name: workload.meta.name },
    }));
}

function instanceOf(spec: WorkloadSpec, labels: Labels, idc: string): Instance {
  const { address, ports, locality = '', weight = 1 } = spec;
  return { address, ports, labels, locality, weight, idc: locality.split('/')[0] || idc };
}

function ruleFor(
  host: string,
  entry: ServiceEntry,
  rules: readonly DestinationRule[],
): DestinationRule | undefined {
  const own = rules.filter((rule) => rule.meta.namespace === entry.meta.namespace);
  const exported = rules.filter(
    ({ spec }) => spec.exportTo === undefined || spec.exportTo.includes(entry.meta.namespace),
  );
  return mostSpecific(host, own) ?? mostSpecific(host, exported);
}

function mostSpecific(host: string, rules: readonly DestinationRule[]): DestinationRule | undefined {
  const exact = rules.find((rule) => rule.spec.host === host);
  if (exact !== undefined) return exact;
  const wild = rules.filter(({ spec }) => spec.host.startsWith('*') && host.endsWith(spec.host.slice(1)));
  const longest = Math.max(...wild.map((rule) => rule.spec.host.length));
  return wild.find((rule) => rule.spec.host.length === longest);
}

function drGroupFor(host: string, entry: ServiceEntry, drGroups: readonly DrGroup[]): DrGroup | undefined {
  return (
    // The exact host, then the longest pattern.
    [host, ...Array.from(host, (_, at) => `*${host.slice(at)}`)]
      .map((pattern) => drGroups.find((group) => group.spec.hosts.includes(pattern)))
      .find((group) => group !== undefined) ??
    drGroups.find(({ spec }) => spec.selector !== undefined && selects(spec.selector, entry.meta.labels))
  );
}

function selects(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
