import { compareText } from '../base/text/compare-text.ts';
import { didYouMean } from '../base/text/suggest.ts';
import type { DrGroup } from '../model/idc.ts';
import type { Kind, MeshObject } from '../model/object.ts';
import type { ServiceEntry } from '../model/service.ts';
import type { PathPart } from '../model/values/field-path.ts';
import { isWildcard, meaningsOf, patternCovers } from '../model/values/hostname.ts';
import { lintConflicts, lintIdcs } from './conflicts.ts';
import { lintByName } from './entries/lint-by-name.ts';
import { lintNames } from './entries/lint-dns.ts';
import { lintGateways } from './entries/lint-gateways.ts';
import { lintHosts } from './entries/lint-hosts.ts';
import { type KnownInstances, lintInstances } from './entries/lint-instances.ts';
import { lintPorts } from './entries/lint-ports.ts';
import { lintTcp } from './entries/lint-tcp.ts';
import { lintTrust } from './entries/lint-trust.ts';
import { lintTwins } from './entries/lint-twins.ts';
import type { Lint } from './lint.ts';
import { createMesh, type Mesh, matchesLabels } from './mesh.ts';
import { lintCapacity } from './traffic/lint-capacity.ts';
import { lintCrossing } from './traffic/lint-crossing.ts';
import { lintEdge } from './traffic/lint-edge.ts';
import { lintEvacuations } from './traffic/lint-evacuation.ts';
import { lintFailback } from './traffic/lint-failback.ts';
import { lintHealth } from './traffic/lint-health.ts';
import { lintOutlier } from './traffic/lint-outlier.ts';
import { lintPolicies } from './traffic/lint-policy.ts';
import { lintTcpCrossing } from './traffic/lint-tcp-crossing.ts';
import { lintTraffic } from './traffic/lint-traffic.ts';
import { lintZones } from './traffic/lint-zone.ts';

/** What is looked at. */
export interface AgreementInput {
  /** The objects in force. */
  readonly objects: Iterable<MeshObject>;
  /** Objects that are not in force for a fault of their own, as far as they can be read; none by default. */
  readonly drafts?: Drafts;
  /**
   * Kinds of which an object may be missing for a fault of its own: that it is not there says nothing. None
   * by default.
   */
  readonly incompleteKinds?: ReadonlySet<Kind>;
  /** Milliseconds since the Unix epoch. */
  readonly wallMs: number;
  /** What an earlier look found of instances, for one that looks again and again; nothing by default. */
  readonly knownInstances?: KnownInstances;
}

/** By object, the paths of the fields that have a fault. */
export type Drafts = ReadonlyMap<MeshObject, readonly (readonly PathPart[])[]>;

const noDrafts: Drafts = new Map();
const noKinds: ReadonlySet<Kind> = new Set();

/**
 * All that is allowed between objects and has no effect, or not the one that was meant. The same objects give
 * the same findings, whoever asks.
 */
export function checkAgreement(input: AgreementInput): Lint[] {
  return [...agreementChecks(input)].flat();
}

/** The same, a part at a time: who has other things to do does them in between. */
export function* agreementChecks(input: AgreementInput): Generator<Lint[]> {
  const { drafts = noDrafts, incompleteKinds = noKinds, wallMs } = input;
  const objects = [...input.objects];
  const isTold = ({ lacks = [] }: Lint) => !lacks.some((kind) => incompleteKinds.has(kind));
  const mesh = createMesh(objects, wallMs);
  yield [];
  for (const found of lintMesh(mesh, input.knownInstances)) yield found.filter(isTold);
  if (drafts.size === 0) return;
  for (const found of lintMesh(createMesh([...objects, ...drafts.keys()], wallMs)))
    yield found.filter((lint) => isOfDraft(lint, drafts) && isTold(lint));
}

/**
 * Fields whose lints rest on nothing else of their object, so that a fault elsewhere in it says nothing of
 * them.
 */
const alone: Readonly<Partial<Record<Kind, readonly PathPart[]>>> = {
  DrGroup: ['hosts'],
  DestinationRule: ['host'],
  WorkloadEntry: ['labels', 'locality'],
};

/** Whether it is found in an object that has a fault, and holds all the same: one must not hide the other. */
function isOfDraft({ code, object, path: [, field = ''] }: Lint, drafts: Drafts): boolean {
  const faulty = drafts.get(object);
  return (
    faulty !== undefined &&
    alone[object.kind]?.includes(field) === true &&
    // Who has the hosts is why the object is not in force, where that is so.
    code !== 'DrGroupConflict' &&
    code !== 'RuleConflict' &&
    !faulty.some((path) => path[1] === field || path[0] === 'metadata')
  );
}

function* lintMesh(mesh: Mesh, knownInstances?: KnownInstances): Generator<Lint[]> {
  const { entries, workloads, rules, idcs, groups, coverage } = mesh;
  yield lintGroups(mesh);
  yield lintIdcs(mesh);
  yield lintConflicts(mesh);
  yield lintHosts(entries);
  yield lintInstances(entries, workloads, new Set(idcs.map(({ meta }) => meta.name)), knownInstances);
  yield lintGateways(idcs);
  yield lintTrust(idcs);
  yield* lintTwins(entries, workloads);
  yield lintRules(mesh);
  yield lintOutlier(mesh);
  yield lintZones(mesh);
  yield lintTcp(entries);
  yield lintTcpCrossing(entries, coverage);
  yield lintByName(entries, rules);
  yield lintNames(entries, workloads);
  yield lintHealth(entries, groups, coverage);
  yield lintTraffic(groups, entries, coverage);
  yield lintPolicies(rules, entries);
  yield lintPorts(entries, idcs);
  yield lintEdge(idcs);
  yield lintEvacuations(mesh);
  yield lintCapacity(groups, entries, idcs, coverage);
  yield lintFailback(groups, coverage);
  yield lintCrossing(groups, entries, idcs, coverage);
}

function lintGroups({ entries, groups }: Mesh): Lint[] {
  const hosts = new Set(entries.flatMap(({ spec }) => spec.hosts));
  const lints: Lint[] = [];
  const selected = new Map<ServiceEntry, DrGroup>();
  const byName = [...groups].sort((a, b) => compareText(a.meta.name, b.meta.name));
  for (const group of byName) {
    for (const [index, host] of group.spec.hosts.entries()) {
      if (isWildcard(host) ? [...hosts].some((one) => patternCovers(host, one)) : hosts.has(host)) continue;
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
    const matching = entries.filter(({ meta }) => matchesLabels(selector, meta.labels));
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
    isWildcard(pattern) ? [...hosts].some((host) => patternCovers(pattern, host)) : hosts.has(pattern);
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

/** Comparing every wrong host with every right one takes minutes in a large mesh: there is no hint then. */
function suggestible(hosts: ReadonlySet<string>): Iterable<string> {
  return hosts.size <= 500 ? hosts : [];
}
