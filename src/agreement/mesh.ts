import { compareText } from '../base/text/compare-text.ts';
import type { Evacuation } from '../model/evacuation.ts';
import type { DrGroup, Idc } from '../model/idc.ts';
import type { Labels } from '../model/meta.ts';
import type { MeshObject } from '../model/object.ts';
import type { DestinationRule, ServiceEntry, WorkloadEntry } from '../model/service.ts';
import { patternCovers as coversHost, isWildcard } from '../model/values/hostname.ts';
import { entriesByHost } from './entries/lint-hosts.ts';
import { lazy } from './lazy.ts';

/** All objects by kind, and who is for whom: looked up, so that a check costs what it finds. */
export interface Mesh {
  readonly entries: readonly ServiceEntry[];
  readonly workloads: readonly WorkloadEntry[];
  readonly rules: readonly DestinationRule[];
  readonly idcs: readonly Idc[];
  readonly groups: readonly DrGroup[];
  readonly evacuations: readonly Evacuation[];
  /** Milliseconds since the Unix epoch. */
  readonly wallMs: number;
  /** ServiceEntries of a host, in the order in which they count. */
  entriesOf(host: string): readonly ServiceEntry[];
  readonly coverage: Coverage;
  /** The WorkloadEntries that a ServiceEntry selects. */
  selectedBy(entry: ServiceEntry): readonly WorkloadEntry[];
}

/**
 * Which DrGroup is for which ServiceEntry: it names one of its hosts, or a pattern for one, or selects it.
 * Lists are in the order of names.
 */
export interface Coverage {
  entriesOf(group: DrGroup): readonly ServiceEntry[];
  groupsOf(entry: ServiceEntry): readonly DrGroup[];
}

/** Sorts objects by kind, and makes what is looked up. */
export function createMesh(objects: Iterable<MeshObject>, wallMs: number): Mesh {
  // What is found must not depend on the order in which a source has its objects.
  const all = [...objects].sort(compareNames);
  const entries = all.filter((object) => object.kind === 'ServiceEntry');
  const workloads = all.filter((object) => object.kind === 'WorkloadEntry');
  const groups = all.filter((object) => object.kind === 'DrGroup');
  const hosts = entriesByHost(entries);
  const coverage = lazy(() => coverageOf(groups, entries, hosts));
  const selection = lazy(() => selectionOf(workloads));
  return {
    ...{ entries, workloads, groups, wallMs },
    rules: all.filter((object) => object.kind === 'DestinationRule'),
    idcs: all.filter((object) => object.kind === 'Idc'),
    evacuations: all.filter((object) => object.kind === 'Evacuation'),
    entriesOf: (host) => hosts.get(host) ?? [],
    // Made when they are asked for: each is the work of a check's turn.
    coverage: {
      entriesOf: (group) => coverage().entriesOf(group),
      groupsOf: (entry) => coverage().groupsOf(entry),
    },
    selectedBy: (entry) => selection()(entry),
  };
}

function compareNames({ meta: a }: MeshObject, { meta: b }: MeshObject): number {
  return compareText(a.namespace, b.namespace) || compareText(a.name, b.name);
}

/** Whether all labels of a selector are among these. */
export function matchesLabels(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(
    ([key, value]) => Object.hasOwn(labels, key) && labels[key] === value,
  );
}

/** The labels of a WorkloadEntry: its spec's and its metadata's, which win, as in Istio. */
export function labelsOf({ meta, spec }: WorkloadEntry): Labels {
  return { ...spec.labels, ...meta.labels };
}

function coverageOf(
  groups: readonly DrGroup[],
  entries: readonly ServiceEntry[],
  hosts: ReadonlyMap<string, readonly ServiceEntry[]>,
): Coverage {
  const position = new Map(entries.map((entry, i) => [entry, i]));
  const byGroup = new Map<DrGroup, readonly ServiceEntry[]>();
  const byEntry = new Map<ServiceEntry, DrGroup[]>();
  const named = (pattern: string) =>
    isWildcard(pattern)
      ? [...hosts].flatMap(([host, declared]) => (coversHost(pattern, host) ? declared : []))
      : (hosts.get(pattern) ?? []);
  for (const group of groups) {
    const { selector } = group.spec;
    const selected = selector ? entries.filter(({ meta }) => matchesLabels(selector, meta.labels)) : [];
    const found = [...new Set([...group.spec.hosts.flatMap(named), ...selected])];
    found.sort((a, b) => (position.get(a) ?? 0) - (position.get(b) ?? 0));
    byGroup.set(group, found);
    for (const entry of found) {
      const known = byEntry.get(entry);
      if (known === undefined) byEntry.set(entry, [group]);
      else known.push(group);
    }
  }
  return {
    entriesOf: (group) => byGroup.get(group) ?? [],
    groupsOf: (entry) => byEntry.get(entry) ?? [],
  };
}

/** Finds what is selected by namespace and one label, so that not every workload is compared. */
function selectionOf(workloads: readonly WorkloadEntry[]): Mesh['selectedBy'] {
  const byLabel = new Map<string, WorkloadEntry[]>();
  const add = (key: string, workload: WorkloadEntry) => {
    const known = byLabel.get(key);
    if (known === undefined) byLabel.set(key, [workload]);
    else known.push(workload);
  };
  for (const workload of workloads) {
    const { namespace } = workload.meta;
    add(namespace, workload);
    for (const [key, value] of Object.entries(labelsOf(workload)))
      add(`${namespace} ${key}=${value}`, workload);
  }
  return ({ meta: { namespace }, spec: { workloadSelector } }) => {
    if (workloadSelector === undefined) return [];
    const [first] = Object.entries(workloadSelector);
    const near = byLabel.get(first === undefined ? namespace : `${namespace} ${first[0]}=${first[1]}`) ?? [];
    return near.filter((workload) => matchesLabels(workloadSelector, labelsOf(workload)));
  };
}
