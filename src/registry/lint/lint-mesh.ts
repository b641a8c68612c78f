import { didYouMean } from '../../base/suggest.ts';
import type { Evacuation } from '../../model/evacuation.ts';
import type { DrGroup, Idc } from '../../model/idc.ts';
import type { Labels } from '../../model/meta.ts';
import type { MeshObject } from '../../model/object.ts';
import type { DestinationRule, ServiceEntry, WorkloadEntry } from '../../model/service.ts';
import { covers, isWildcard, meaningsOf } from '../../model/values/hostname.ts';
import { lintByName } from './entries/lint-by-name.ts';
import { lintNames } from './entries/lint-dns.ts';
import { lintHosts } from './entries/lint-hosts.ts';
import { lintInstances } from './entries/lint-instances.ts';
import { lintPorts } from './entries/lint-ports.ts';
import { lintTcp } from './entries/lint-tcp.ts';
import type { Lint } from './lint-finding.ts';
import { lintCapacity } from './traffic/lint-capacity.ts';
import { lintCrossing } from './traffic/lint-crossing.ts';
import { lintEdge } from './traffic/lint-edge.ts';
import { lintEvacuations } from './traffic/lint-evacuation.ts';
import { lintFailback } from './traffic/lint-failback.ts';
import { covers as isFor, lintHealth } from './traffic/lint-health.ts';
import { lintOutlier } from './traffic/lint-outlier.ts';
import { lintPolicies } from './traffic/lint-policy.ts';
import { lintTcpCrossing } from './traffic/lint-tcp-crossing.ts';
import { lintTraffic } from './traffic/lint-traffic.ts';
import { lintZones } from './traffic/lint-zone.ts';

interface Mesh {
  readonly entries: readonly ServiceEntry[];
  readonly workloads: readonly WorkloadEntry[];
  readonly rules: readonly DestinationRule[];
  readonly idcs: readonly Idc[];
  readonly groups: readonly DrGroup[];
  readonly evacuations: readonly Evacuation[];
}

/**
 * Looks at a whole mesh for what is allowed, but has no effect or not the one that was meant; `wallMs` is the
 * time, in milliseconds since the Unix epoch.
 */
export function lintMesh(objects: Iterable<MeshObject>, wallMs: number): Lint[] {
  const all = [...objects];
  const mesh: Mesh = {
    entries: all.filter((object) => object.kind === 'ServiceEntry'),
    workloads: all.filter((object) => object.kind === 'WorkloadEntry'),
    rules: all.filter((object) => object.kind === 'DestinationRule'),
    idcs: all.filter((object) => object.kind === 'Idc'),
    groups: all.filter((object) => object.kind === 'DrGroup'),
    evacuations: all.filter((object) => object.kind === 'Evacuation'),
  };
  return [
    ...lintGroups(mesh),
    ...lintHosts(mesh.entries),
    ...lintInstances(mesh.entries, mesh.workloads, new Set(mesh.idcs.map(({ meta }) => meta.name))),
    ...lintRules(mesh),
    ...lintOutlier(mesh.rules, mesh.entries, mesh.workloads, selectsWorkload),
    ...lintZones(mesh.rules, mesh.entries, mesh.workloads, selectsWorkload),
    ...lintTcp(mesh.entries),
    ...lintTcpCrossing(mesh.groups, mesh.entries, isFor),
    ...lintByName(mesh.entries, mesh.rules),
    ...lintNames(mesh.entries, mesh.workloads),
    ...lintHealth(mesh.entries, mesh.groups),
    ...lintTraffic(mesh.groups, mesh.entries, isFor),
    ...lintPolicies(mesh.rules, mesh.entries),
    ...lintPorts(mesh.entries, mesh.idcs),
    ...lintEdge(mesh.idcs),
    ...lintEvacuations({ ...mesh, wallMs }),
    ...lintCapacity(mesh.groups, mesh.entries, mesh.idcs, isFor),
    ...lintFailback(mesh.groups, mesh.entries, isFor),
    ...lintCrossing(mesh.groups, mesh.entries, mesh.idcs, isFor),
  ];
}

function lintGroups({ entries, groups }: Mesh): Lint[] {
  const hosts = new Set(entries.flatMap(({ spec }) => spec.hosts));
  const lints: Lint[] = [];
  const selected = new Map<ServiceEntry, DrGroup>();
  const byName = [...groups].sort((a, b) => (a.meta.name < b.meta.name ? -1 : 1));
  for (const group of byName) {
    for (const [index, host] of group.spec.hosts.entries()) {
      if (isWildcard(host) ? [...hosts].some((one) => covers(host, one)) : hosts.has(host)) continue;
      const message = `no ServiceEntry declares ${host}: correct it, or add the ServiceEntry.${didYouMean(host, suggestible(hosts))}`;
      lints.push({
        code: 'UnknownHost',
        object: group,
        path: ['spec', 'hosts', index],
        message,
        lacks: ['ServiceEntry'],
      });
    }
    const { selector } = group.spec;
    if (selector === undefined) continue;
    const matching = entries.filter(({ meta }) => matches(selector, meta.labels));
    if (matching.length === 0) {
      const message =
        'no ServiceEntry has these labels in its metadata: correct them, or label the ServiceEntries.';
      lints.push({
        code: 'SelectsNothing',
        object: group,
        path: ['spec', 'selector', 'matchLabels'],
        message,
        lacks: ['ServiceEntry'],
      });
    }
    for (const entry of matching) {
      const first = selected.get(entry);
      if (first === undefined) {
        selected.set(entry, group);
        continue;
      }
      const name = `ServiceEntry ${entry.meta.namespace}/${entry.meta.name}`;
      const message = `selects ${name}, and so does DrGroup ${first.meta.name}, which comes first by name: make them differ.`;
      lints.push({
        code: 'DrGroupConflict',
        object: group,
        path: ['spec', 'selector', 'matchLabels'],
        message,
      });
    }
  }
  return lints;
}

function lintRules({ entries, rules }: Mesh): Lint[] {
  const hosts = new Set(entries.flatMap(({ spec }) => spec.hosts));
  const covered = (pattern: string) =>
    isWildcard(pattern) ? [...hosts].some((host) => covers(pattern, host)) : hosts.has(pattern);
  return rules
    .filter(({ meta, spec }) => !meaningsOf(spec.host, meta.namespace).some(covered))
    .map((object) => ({
      code: 'UnknownHost',
      object,
      path: ['spec', 'host'],
      message: `no ServiceEntry declares ${object.spec.host}, so the rule has no effect: correct it, or add the ServiceEntry.${didYouMean(object.spec.host, suggestible(hosts))}`,
      lacks: ['ServiceEntry'],
    }));
}

function selectsWorkload({ meta, spec }: ServiceEntry, workload: WorkloadEntry): boolean {
  const { workloadSelector } = spec;
  if (workloadSelector === undefined || workload.meta.namespace !== meta.namespace) return false;
  return matches(workloadSelector, { ...workload.spec.labels, ...workload.meta.labels });
}

function matches(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(
    ([key, value]) => Object.hasOwn(labels, key) && labels[key] === value,
  );
}

/** Comparing every wrong host with every right one takes minutes in a large mesh: there is no hint then. */
function suggestible(hosts: ReadonlySet<string>): Iterable<string> {
  return hosts.size <= 500 ? hosts : [];
}
