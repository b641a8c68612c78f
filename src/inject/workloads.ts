import { isMap, type RawMap } from '../base/raw-map.ts';
import type { PathPart } from '../model/values/field-path.ts';
import { type InjectedPod, injectPod } from './inject-pod.ts';
import type { InjectFault } from './pod-wishes.ts';
import type { InjectSettings } from './settings.ts';

/** Where each kind has its Pod: an object of another kind has none. */
const podPaths: Readonly<Record<string, readonly string[]>> = {
  Pod: [],
  PodTemplate: ['template'],
  ...Object.fromEntries(
    ['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet', 'ReplicationController', 'Job'].map((kind) => [
      kind,
      ['spec', 'template'],
    ]),
  ),
  CronJob: ['spec', 'jobTemplate', 'spec', 'template'],
};

/** Groups of these kinds: others have kinds of the same names. */
const groups: ReadonlySet<string> = new Set(['', 'apps', 'batch']);

/** What became of an object. */
interface InjectedObject {
  /** The object; without a change the same. */
  readonly object: unknown;
  /** Pods that were left alone: the object and the reason. */
  readonly skipped: readonly string[];
  readonly faults: readonly InjectFault[];
}

/**
 * Injects the Pod of an object of Kubernetes, or those of a List. Objects without Pods stay as they are.
 * `namespace`: of objects that name none.
 */
export function injectObject(raw: unknown, settings: InjectSettings, namespace: string): InjectedObject {
  if (isMap(raw) && typeof raw.kind === 'string' && raw.kind.endsWith('List') && Array.isArray(raw.items))
    return injectList(raw, raw.items, settings, namespace);
  const path = isMap(raw) ? podPathOf(raw) : undefined;
  if (path === undefined || !isMap(raw)) return { object: raw, skipped: [], faults: [] };
  const pod = path.reduce<unknown>((at, key) => (isMap(at) ? at[key] : undefined), raw);
  const own = isMap(raw.metadata) && typeof raw.metadata.namespace === 'string' ? raw.metadata.namespace : '';
  const result: InjectedPod = isMap(pod)
    ? injectPod(pod, settings, own || namespace)
    : { outcome: 'faulty', faults: [{ path: [], message: 'is required: it says what the Pods are.' }] };
  switch (result.outcome) {
    case 'injected':
      return { object: replaced(raw, path, result.pod), skipped: [], faults: [] };
    case 'skipped':
      return { object: raw, skipped: [`${nameOf(raw, own)} is left alone: ${result.reason}`], faults: [] };
    case 'faulty':
      return {
        object: raw,
        skipped: [],
        faults: result.faults.map((fault) => ({ ...fault, path: [...path, ...fault.path] })),
      };
  }
}

function injectList(
  raw: RawMap,
  items: readonly unknown[],
  settings: InjectSettings,
  namespace: string,
): InjectedObject {
  const all = items.map((item) => injectObject(item, settings, namespace));
  const isChanged = all.some(({ object }, index) => object !== items[index]);
  return {
    object: isChanged ? { ...raw, items: all.map(({ object }) => object) } : raw,
    skipped: all.flatMap(({ skipped }) => skipped),
    faults: all.flatMap(({ faults }, index) =>
      faults.map(({ path, message }) => ({ path: ['items', index, ...path] as PathPart[], message })),
    ),
  };
}

function podPathOf({ apiVersion, kind }: RawMap): readonly string[] | undefined {
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') return undefined;
  const group = apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '';
  return groups.has(group) && Object.hasOwn(podPaths, kind) ? podPaths[kind] : undefined;
}

function nameOf({ kind, metadata }: RawMap, namespace: string): string {
  const { name, generateName } = isMap(metadata) ? metadata : {};
  const called = typeof name === 'string' ? name : `${String(generateName ?? '')}…`;
  return `${String(kind)} ${namespace === '' ? '' : `${namespace}/`}${called}`;
}

function replaced(at: RawMap, [key, ...rest]: readonly string[], value: RawMap): RawMap {
  if (key === undefined) return { ...at, ...value };
  const inner = at[key];
  return { ...at, [key]: replaced(isMap(inner) ? inner : {}, rest, value) };
}
