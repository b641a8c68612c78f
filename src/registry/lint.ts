import type { DrGroup, Idc } from '../model/idc.ts';
import type { Labels } from '../model/meta.ts';
import type { MeshObject } from '../model/object.ts';
import type { DestinationRule, ServiceEntry, WorkloadEntry, WorkloadSpec } from '../model/service.ts';
import type { PathPart } from './fault.ts';
import { lintNames } from './lint-dns.ts';
import type { Lint } from './lint-finding.ts';
import { lintHealth } from './lint-health.ts';
import { lintOutlier } from './lint-outlier.ts';
import { lintPorts } from './lint-ports.ts';
import { lintTcp } from './lint-tcp.ts';
import { didYouMean } from './suggest.ts';

interface Mesh {
  readonly entries: readonly ServiceEntry[];
  readonly workloads: readonly WorkloadEntry[];
  readonly rules: readonly DestinationRule[];
  readonly idcs: readonly Idc[];
  readonly groups: readonly DrGroup[];
}

/** Looks at a whole mesh for what is allowed, but has no effect or not the one that was meant. */
export function lintMesh(objects: Iterable<MeshObject>): Lint[] {
  const all = [...objects];
  const mesh: Mesh = {
    entries: all.filter((object) => object.kind === 'ServiceEntry'),
    workloads: all.filter((object) => object.kind === 'WorkloadEntry'),
    rules: all.filter((object) => object.kind === 'DestinationRule'),
    idcs: all.filter((object) => object.kind === 'Idc'),
    groups: all.filter((object) => object.kind === 'DrGroup'),
  };
  return [
    ...lintGroups(mesh),
    ...lintWorkloads(mesh),
    ...lintLocalities(mesh),
    ...lintRules(mesh),
    ...lintOutlier(mesh.rules, mesh.entries, mesh.workloads, selectsWorkload),
    ...lintTcp(mesh.entries),
    ...lintNames(mesh.entries, mesh.workloads),
    ...lintHealth(mesh.entries, mesh.groups),
    ...lintPorts(mesh.entries, mesh.idcs),
  ];
}

function lintGroups({ entries, groups }: Mesh): Lint[] {
  const hosts = new Set(entries.flatMap(({ spec }) => spec.hosts));
  const lints: Lint[] = [];
  const selected = new Map<ServiceEntry, DrGroup>();
  const byName = [...groups].sort((a, b) => (a.meta.name < b.meta.name ? -1 : 1));
  for (const group of byName) {
    for (const [index, host] of group.spec.hosts.entries()) {
      if (hosts.has(host)) continue;
      const message = `no ServiceEntry declares ${host}: correct it, or add the ServiceEntry.${didYouMean(host, suggestible(hosts))}`;
      lints.push({ object: group, path: ['spec', 'hosts', index], message });
    }
    const { selector } = group.spec;
    if (selector === undefined) continue;
    const matching = entries.filter(({ meta }) => matches(selector, meta.labels));
    if (matching.length === 0) {
      const message =
        'no ServiceEntry has these labels in its metadata: correct them, or label the ServiceEntries.';
      lints.push({ object: group, path: ['spec', 'selector', 'matchLabels'], message });
    }
    for (const entry of matching) {
      const first = selected.get(entry);
      if (first === undefined) {
        selected.set(entry, group);
        continue;
      }
      const name = `ServiceEntry ${entry.meta.namespace}/${entry.meta.name}`;
      const message = `selects ${name}, and so does DrGroup ${first.meta.name}, which comes first by name: make them differ.`;
      lints.push({ object: group, path: ['spec', 'selector', 'matchLabels'], message });
    }
  }
  return lints;
}

function lintWorkloads({ entries, workloads }: Mesh): Lint[] {
  // By namespace and one label of the selector: not every entry is compared with every workload.
  const selectors = new Map<string, Labels[]>();
  for (const { meta, spec } of entries) {
    const [first] = Object.entries(spec.workloadSelector ?? {});
    if (first === undefined || spec.workloadSelector === undefined) continue;
    const key = JSON.stringify([meta.namespace, ...first]);
    const list = selectors.get(key);
    if (list === undefined) selectors.set(key, [spec.workloadSelector]);
    else list.push(spec.workloadSelector);
  }
  const isSelected = ({ meta, spec }: WorkloadEntry) => {
    const labels = { ...spec.labels, ...meta.labels };
    return Object.entries(labels).some((label) =>
      selectors
        .get(JSON.stringify([meta.namespace, ...label]))
        ?.some((selector) => matches(selector, labels)),
    );
  };
  return workloads
    .filter((workload) => !isSelected(workload))
    .map((object) => ({
      object,
      path: ['spec', 'labels'],
      message: `no ServiceEntry in namespace ${object.meta.namespace} selects it, so it gets no requests: correct the labels.`,
    }));
}

function lintLocalities({ entries, workloads, idcs }: Mesh): Lint[] {
  if (idcs.length === 0) return [];
  const names = new Set(idcs.map(({ meta }) => meta.name));
  const check = (object: MeshObject, { locality = '' }: WorkloadSpec, ...path: PathPart[]): Lint[] => {
    const [idc = ''] = locality.split('/', 1);
    if (idc === '' || names.has(idc)) return [];
    const message = `no Idc is named '${idc}', so nobody reaches the instance there: correct it, or add the Idc.${didYouMean(idc, names)}`;
    return [{ object, path: [...path, 'locality'], message }];
  };
  return [
    ...workloads.flatMap((object) => check(object, object.spec, 'spec')),
    // External hosts are reached wherever they are.
    ...entries
      .filter(isInside)
      .flatMap((object) =>
        object.spec.endpoints.flatMap((endpoint, index) =>
          check(object, endpoint, 'spec', 'endpoints', index),
        ),
      ),
  ];
}

function isInside({ spec }: ServiceEntry): boolean {
  return spec.location === 'MESH_INTERNAL' || !spec.resolution.startsWith('DNS');
}

function lintRules({ entries, rules }: Mesh): Lint[] {
  const hosts = new Set(entries.flatMap(({ spec }) => spec.hosts));
  const covered = (pattern: string) =>
    pattern.startsWith('*') ? [...hosts].some((host) => host.endsWith(pattern.slice(1))) : hosts.has(pattern);
  return rules
    .filter(({ spec }) => !covered(spec.host))
    .map((object) => ({
      object,
      path: ['spec', 'host'],
      message: `no ServiceEntry declares ${object.spec.host}, so the rule has no effect: correct it, or add the ServiceEntry.${didYouMean(object.spec.host, suggestible(hosts))}`,
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
