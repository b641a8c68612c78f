import type { Labels } from '../../model/meta.ts';
import type { ServiceEntry, WorkloadEntry } from '../../model/service.ts';
import { addressKind } from '../../model/values/address.ts';
import { splitLocality } from '../../model/values/locality.ts';
import type { Lint } from '../lint.ts';
import { labelsOf, matchesLabels } from '../mesh.ts';

/**
 * Instances of one ServiceEntry and IDC at one address and port: the process behind it gets twice its share,
 * and goes on getting requests when one of the two is removed. Other IDCs may use the same private addresses,
 * and other hosts the same port. In slices, as there may be very many instances.
 */
export function* lintTwins(
  entries: readonly ServiceEntry[],
  workloads: readonly WorkloadEntry[],
): Generator<Lint[]> {
  const shared = yield* sharedAddresses(workloads);
  const entriesIn = Map.groupBy(entries, ({ meta }) => meta.namespace);
  let lints: Lint[] = [];
  let looked = 0;
  for (const [address, sharing] of shared) {
    if (addressKind(address) !== 'ip') continue;
    looked += 1;
    if (looked % addressesAtOnce === 0) {
      yield lints;
      lints = [];
    }
    for (const [index, object] of sharing.entries()) {
      const other = sharing.slice(0, index).find((one) => areTwins(one, object, entriesIn));
      if (other === undefined) continue;
      const { namespace, name, origin } = other.meta;
      const message = `${address} is the address of ${namespace}/${name} (${origin}) too, at the same port: it gets the requests of two instances. Correct one, or remove it.`;
      lints.push({ code: 'SharedAddress', object, path: ['spec', 'address'], message });
    }
  }
  yield lints;
}

const workloadsAtOnce = 5_000;
const addressesAtOnce = 500;

/** The addresses that several have, with some of them: a machine has few. */
function* sharedAddresses(
  workloads: readonly WorkloadEntry[],
): Generator<Lint[], Map<string, WorkloadEntry[]>> {
  const first = new Map<string, WorkloadEntry>();
  const shared = new Map<string, WorkloadEntry[]>();
  for (const [index, workload] of workloads.entries()) {
    if (index % workloadsAtOnce === workloadsAtOnce - 1) yield [];
    const { address } = workload.spec;
    const known = first.get(address);
    if (known === undefined) {
      first.set(address, workload);
      continue;
    }
    const list = shared.get(address);
    if (list === undefined) shared.set(address, [known, workload]);
    else if (list.length < sharingMax) list.push(workload);
  }
  return shared;
}

const sharingMax = 50;

function areTwins(
  one: WorkloadEntry,
  other: WorkloadEntry,
  entriesIn: ReadonlyMap<string, readonly ServiceEntry[]>,
): boolean {
  if (one.meta.namespace !== other.meta.namespace || idcOf(one) !== idcOf(other)) return false;
  // Cheap, and most that share an address differ in it.
  if (!sharesPort(one.spec.ports, other.spec.ports)) return false;
  const [labels, others] = [labelsOf(one), labelsOf(other)];
  return (entriesIn.get(one.meta.namespace) ?? []).some(
    ({ spec: { workloadSelector: selector, ports } }) =>
      isOf(selector, labels) &&
      isOf(selector, others) &&
      ports.some(({ name, number, targetPort = number }) => {
        const of = ({ spec }: WorkloadEntry) => spec.ports[name] ?? targetPort;
        return of(one) === of(other);
      }),
  );
}

function isOf(selector: Labels | undefined, labels: Labels): boolean {
  return selector !== undefined && matchesLabels(selector, labels);
}

/** Whether they may have a port in common; a port that is not named is the ServiceEntry's. */
function sharesPort(one: WorkloadEntry['spec']['ports'], other: WorkloadEntry['spec']['ports']): boolean {
  const [ports, others] = [Object.values(one), Object.values(other)];
  return ports.length === 0 || others.length === 0 || ports.some((port) => others.includes(port));
}

function idcOf({ spec: { locality = '' } }: WorkloadEntry): string {
  return splitLocality(locality).idc;
}
