import { type Disagreement, disagreements } from '../model/agreement.ts';
import type { ObjectFinding } from '../model/finding.ts';
import { type Ref, refOf } from '../model/object.ts';
import type { ServiceEntry } from '../model/service.ts';
import type { Instance } from './view.ts';

/** Most instances that a problem names. */
const namedMax = 5;

/** What instances are held against. */
export interface InstanceContext {
  readonly idcs: ReadonlySet<string>;
  /** The ServiceEntries that select the WorkloadEntry `ref`, in a stable order. */
  readonly selecting: (ref: Ref) => readonly ServiceEntry[];
}

/**
 * What is wrong between a ServiceEntry and its instances: one problem for each kind and field, however many
 * instances have it, with the first of them by name. Of an instance that several select the first tells.
 */
export function instanceProblems(
  entry: ServiceEntry,
  instances: readonly Instance[],
  { idcs, selecting }: InstanceContext,
): ObjectFinding[] {
  const found = new Map<string, { first: Disagreement; who: string[] }>();
  for (const [index, instance] of instances.entries()) {
    const entries = instance.ref === undefined ? [entry] : selecting(instance.ref);
    if (entries[0] !== entry) continue;
    const around = { namespace: entry.meta.namespace, entries, idcs };
    for (const one of disagreements(instance, around)) {
      const key = `${one.code} ${one.path.join('.')} ${one.message}`;
      const known = found.get(key) ?? { first: one, who: [] };
      known.who.push(instance.ref?.name ?? `endpoints[${index}]`);
      found.set(key, known);
    }
  }
  return [...found.values()].map(({ first, who }) => ({
    severity: 'warning',
    code: first.code,
    ref: refOf(entry),
    where: entry.meta.origin,
    path: entry.spec.workloadSelector === undefined ? 'spec.endpoints' : 'spec.workloadSelector',
    message: `${first.path.join('.')} of ${listed(who)}: ${first.message}`,
  }));
}

/** WorkloadEntries of a namespace that nothing selects. */
export function unselectedProblem(namespace: string, names: readonly string[]): ObjectFinding[] {
  const [first] = names;
  if (first === undefined) return [];
  return [
    {
      severity: 'warning',
      code: 'NotSelected',
      ref: { kind: 'WorkloadEntry', namespace, name: first },
      where: `namespace ${namespace}`,
      path: '',
      message: `no ServiceEntry selects ${listed(names)}, which get no requests: correct the labels, or the selector`,
    },
  ];
}

function listed(names: readonly string[]): string {
  const more = names.length > namedMax ? ` and ${names.length - namedMax} more` : '';
  return `${names.slice(0, namedMax).join(', ')}${more}`;
}
