import { contentHash } from '../../base/hash.ts';
import type { ProxyClass, RegistryHead } from '../../contract/lines/registry-lines.ts';
import { sameContent } from '../../index/same-content.ts';
import { createIndex } from '../../index/store.ts';
import type { MeshObject } from '../../model/object.ts';
import { showEndpoint } from '../../model/values/listen-address.ts';
import { edgeReadiness } from '../../plan/evacuation/evacuation-effect.ts';
import { createPlanner, type PlannedGroups } from '../../plan/planner.ts';
import { planTrailPolicies } from '../../plan/trail.ts';
import type { GroupPlan } from '../../plan/types.ts';
import { Catalog } from '../../translate/catalog.ts';
import type { BuiltResource, CompiledFilters } from '../../translate/resources.ts';

/** Names of resources, by type: CDS, EDS, … */
export type NamesByType = Readonly<Record<string, readonly string[]>>;

/** What the proxies of a class would be sent. */
export interface ClassPush extends ProxyClass {
  readonly added: NamesByType;
  readonly changed: NamesByType;
  readonly removed: NamesByType;
}

/** What would change for requests to a host in this IDC. */
export interface HostPush {
  readonly host: string;
  readonly change: 'added' | 'changed' | 'removed';
  /** `ADDRESS:PORT`, or the path of a socket. */
  readonly instancesAdded: readonly string[];
  readonly instancesRemoved: readonly string[];
}

/** What a change of objects would push. */
export interface PushPreview {
  readonly hosts: readonly HostPush[];
  /** Classes that would be sent something. */
  readonly classes: readonly ClassPush[];
}

/** What a control plane decides by: its settings, and the classes of its proxies. */
type Deciding = Pick<RegistryHead, 'idc' | 'hopLimit' | 'loopPrevention' | 'classes'>;

/**
 * What a control plane would push if the objects in force were `then` in place of `now`, by the same index,
 * plans and translation. What it has found out by probes, and states of failback, are left out of both.
 */
export function previewPush(
  deciding: Deciding,
  now: readonly MeshObject[],
  then: readonly MeshObject[],
  wallMs: number,
): PushPreview {
  const [before, after] = [now, then].map((objects) => decide(deciding, objects, wallMs)) as [
    Decided,
    Decided,
  ];
  const same = rememberedSameContent();
  return {
    hosts: hostsOf(before.plans, after.plans),
    classes: deciding.classes.flatMap((one, index) => {
      const push = { ...one, ...compare(before.open(one, index), after.open(one, index), same) };
      const isAny = [push.added, push.changed, push.removed].some((names) => Object.keys(names).length > 0);
      return isAny ? [push] : [];
    }),
  };
}

/** The decisions on some objects. */
interface Decided {
  readonly plans: PlannedGroups;
  open(one: ProxyClass, index: number): readonly BuiltResource[];
}

function decide(deciding: Deciding, objects: readonly MeshObject[], wallMs: number): Decided {
  const { idc, hopLimit, loopPrevention } = deciding;
  const index = createIndex({ idc });
  const delta = index.apply(objects.map((object) => ({ type: 'upsert', object, at: 0 })));
  const view = index.view();
  const planner = createPlanner({ localIdc: idc, hopLimit, loopPrevention });
  const plans = planner.update(view, delta, wallMs);
  const catalog = new Catalog();
  catalog.updateContext(view.idcs, {
    localIdc: view.idcs.get(idc),
    filters: filtersOf(planTrailPolicies(idc, view.idcs, hopLimit, loopPrevention)),
    ready: edgeReadiness(view, idc, hopLimit, wallMs),
  });
  catalog.update(plans);
  return { plans, open: ({ scope }, index) => catalog.open(String(index), scope) };
}

/** Stands for the compiled filters: they differ where the policies do that they are compiled of. */
function filtersOf(policies: ReturnType<typeof planTrailPolicies>): CompiledFilters {
  return Object.fromEntries(
    policies.map((policy) => {
      const bytes = new TextEncoder().encode(JSON.stringify(policy));
      return [policy.listener, { bytes, hash: contentHash(bytes) }];
    }),
  );
}

function compare(
  before: readonly BuiltResource[],
  after: readonly BuiltResource[],
  same: (a: object, b: object) => boolean,
): Pick<ClassPush, 'added' | 'changed' | 'removed'> {
  const keyOf = ({ kind, name }: BuiltResource) => `${kind} ${name}`;
  const old = new Map(before.map((one) => [keyOf(one), one]));
  const now = new Set(after.map(keyOf));
  const differs = (one: BuiltResource) => {
    const known = old.get(keyOf(one));
    return known !== undefined && !same(known.message, one.message);
  };
  return {
    added: namesByType(after.filter((one) => !old.has(keyOf(one)))),
    changed: namesByType(after.filter(differs)),
    removed: namesByType(before.filter((one) => !now.has(keyOf(one)))),
  };
}

function namesByType(list: readonly BuiltResource[]): NamesByType {
  const names: Record<string, string[]> = {};
  for (const { kind, name } of list) {
    const known = names[kind];
    if (known === undefined) names[kind] = [name];
    else known.push(name);
  }
  for (const one of Object.values(names)) one.sort();
  return names;
}

/** Messages are shared by classes: each pair is compared once. */
function rememberedSameContent(): (a: object, b: object) => boolean {
  const known = new WeakMap<object, WeakMap<object, boolean>>();
  return (a, b) => {
    const others = known.get(a) ?? new WeakMap<object, boolean>();
    known.set(a, others);
    const is = others.get(b) ?? sameContent(a, b);
    others.set(b, is);
    return is;
  };
}

function hostsOf(before: PlannedGroups, after: PlannedGroups): readonly HostPush[] {
  return [...new Set([...before.keys(), ...after.keys()])].sort().flatMap((host): HostPush[] => {
    const [old, now] = [before.get(host) ?? [], after.get(host) ?? []];
    if (sameContent(old, now)) return [];
    const [had, has] = [instancesOf(old), instancesOf(now)];
    return [
      {
        host,
        change: old.length === 0 ? 'added' : now.length === 0 ? 'removed' : 'changed',
        instancesAdded: [...has].filter((one) => !had.has(one)).sort(),
        instancesRemoved: [...had].filter((one) => !has.has(one)).sort(),
      },
    ];
  });
}

function instancesOf(plans: readonly GroupPlan[]): ReadonlySet<string> {
  const endpoints = plans.flatMap(({ instances }) => instances.flatMap((locality) => locality.endpoints));
  return new Set(endpoints.map(showEndpoint));
}
