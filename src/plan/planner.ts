import { sameContent } from '../index/same-content.ts';
import { SharedValues } from '../index/shared-values.ts';
import type { GroupView, MeshView, ViewDelta } from '../index/view.ts';
import { evacuates } from '../model/evacuation.ts';
import { addressName, type ProbeRequest, type ProbeTarget, type Reach } from '../model/reach.ts';
import { addressKind } from '../model/values/address.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';
import { planHost } from './declarations.ts';
import { type ActiveEvacuation, evacuationsAt } from './evacuation/evacuation.ts';
import { peersOf, planHungIdcs } from './gateways.ts';
import type { PlanContext } from './group.ts';
import { checkIntervalMsMin } from './health/checks.ts';
import type { GroupPlan } from './types.ts';

/** Plans by host; an empty list: the Group was removed, or has no usable port. */
export type PlannedGroups = ReadonlyMap<string, readonly GroupPlan[]>;

/** Constant options of a planner. */
type PlannerOptions = Pick<
  PlanContext,
  'localIdc' | 'hopLimit' | 'loopPrevention' | 'failbackShare' | 'mirrorPercent'
>;

/** What plans are made for besides the facts of now. */
export interface Supposed {
  /** The IDC to plan for; absent: the own one. Of another IDC only what the registry says is known. */
  readonly idc?: string;
  /** Instances and ingress gateways that are not reached (`addressName`), besides those that are not now. */
  readonly unreached?: ReadonlySet<string>;
  /** Those that are reached, whether they are now or not: these count. */
  readonly reached?: ReadonlySet<string>;
  /** IDCs that all requests leave, besides what evacuations say. */
  readonly evacuated?: readonly string[];
}

/** Plans changed Groups, and those that depend on them. */
interface Planner {
  /**
   * Plans the Groups affected by a change of the view or of the time (milliseconds since the Unix epoch):
   * evacuations begin, step and end.
   */
  update(view: MeshView, delta: Pick<ViewDelta, 'groups' | 'idcs'>, wallMs: number): PlannedGroups;
  /** The plans of a host as last made, or as supposed, made again: nothing is kept of them. */
  plansOf(view: MeshView, host: string, supposed?: Supposed): readonly GroupPlan[];
  /** Whether any Group has a limit on requests from other IDCs. */
  hasLimits(): boolean;
  /** Hosts with instances here without such a limit, as no capacity is declared. */
  withoutLimit(): readonly string[];
  /** What these limits depend on: instances, and local ingress gateways; none without a limit. */
  probeTargets(view: MeshView): readonly ProbeTarget[];
  /** Records which of these, and of all IDCs' gateways, are not reached; returns the changed plans. */
  applyReach(reach: Reach, view: MeshView): PlannedGroups;
  /** Those not reached, as last recorded. */
  unreached(): ReadonlySet<string>;
}

function setMembership(set: Set<string>, host: string, isMember: boolean): void {
  if (isMember) set.add(host);
  else set.delete(host);
}

/**
 * Instances that can be connected to: one on a unix socket counts as alive. Probed with a request if their
 * protocol is known.
 */
function instancesOf(plan: GroupPlan): ProbeTarget[] {
  const all = plan.instances.flatMap(({ endpoints }) => endpoints);
  const request = probeRequestOf(plan);
  return all
    .filter(({ address }) => addressKind(address) === 'ip')
    .map(({ address, port }) => ({ address, port, ...(request && { say: request }) }));
}

function probeRequestOf({ tls, protocol, sidecars, health, group }: GroupPlan): ProbeRequest | undefined {
  if (tls !== undefined) return undefined;
  if (protocol === 'http2' || sidecars) return { kind: 'http2' };
  if (health?.question.kind !== 'http' || health.port !== undefined) return undefined;
  return { kind: 'get', host: group.host, path: health.question.path };
}

function gatewaysOf({ idcs }: MeshView, localIdc: string): readonly ListenAddress[] {
  const idc = idcs.get(localIdc);
  return idc === undefined ? [] : peersOf(idc);
}

function isUnbounded({ crossing, spill, instances, lookup, protocol }: GroupPlan): boolean {
  const canBe = crossing !== undefined && protocol !== 'tcp' && lookup === undefined;
  return canBe && spill === undefined && instances.length > 0;
}

function isCriticalHere({ spill, instances }: GroupPlan): boolean {
  return spill?.isCritical === true && instances.length > 0;
}

/** Creates a planner without plans. */
export function createPlanner(options: PlannerOptions): Planner {
  return new GroupPlanner(options);
}

class GroupPlanner implements Planner {
  readonly #options: PlannerOptions;
  /** Hosts that egress gateways check in other IDCs; their number decides the interval. */
  readonly #checked = new Set<string>();
  /** Instances of hosts with a limit on requests from other IDCs; and critical hosts with instances here. */
  readonly #limited = new Map<string, readonly ProbeTarget[]>();
  readonly #criticalHosts = new Set<string>();
  readonly #unbounded = new Set<string>();
  #intervalMsMin = 0;
  #evacuations: readonly ActiveEvacuation[] = [];
  #besideCritical = false;
  #unreached: ReadonlySet<string> = new Set();
  #hung: ReadonlySet<string> = new Set();
  readonly #shared = new SharedValues();

  constructor(options: PlannerOptions) {
    this.#options = options;
  }

  update(
    view: MeshView,
    delta: Pick<ViewDelta, 'groups' | 'idcs'>,
    wallMs: number,
  ): Map<string, readonly GroupPlan[]> {
    const before = this.#evacuations;
    this.#evacuations = evacuationsAt(view, wallMs);
    const changedEvacuations = differing(before, this.#evacuations);
    // A change of an IDC's gateways affects every Group that may cross to it.
    const all = () => new Set([...view.groups.keys(), ...delta.groups]);
    const plans = this.#plan(
      view,
      delta.idcs.size > 0 ? all() : new Set([...delta.groups, ...hostsOf(view, changedEvacuations)]),
    );
    const needed = checkIntervalMsMin(this.#checked.size);
    const beside = this.#criticalHosts.size > 0;
    if (needed === this.#intervalMsMin && beside === this.#besideCritical) return plans;
    this.#intervalMsMin = needed;
    this.#besideCritical = beside;
    return this.#plan(view, all());
  }

  hasLimits(): boolean {
    return this.#limited.size > 0;
  }

  withoutLimit(): string[] {
    return [...this.#unbounded].sort();
  }

  probeTargets(view: MeshView): ProbeTarget[] {
    if (this.#limited.size === 0) return [];
    const gateways = gatewaysOf(view, this.#options.localIdc).map(
      (one): ProbeTarget => ({ ...one, request: { kind: 'http2' } }),
    );
    return [...gateways, ...[...this.#limited.values()].flat()];
  }

  unreached(): ReadonlySet<string> {
    return this.#unreached;
  }

  applyReach(reach: Reach, view: MeshView): Map<string, readonly GroupPlan[]> {
    const [was, wereHung] = [this.#unreached, this.#hung];
    this.#unreached = reach.unreached;
    this.#hung = planHungIdcs(view.idcs, this.#options.localIdc, reach);
    const differs = (one: ListenAddress) =>
      was.has(addressName(one)) !== this.#unreached.has(addressName(one));
    const all = gatewaysOf(view, this.#options.localIdc).some(differs);
    const bounded = [...this.#limited].filter(([, instances]) => all || instances.some(differs));
    const changedIdcs = new Set(
      [...wereHung, ...this.#hung].filter((name) => wereHung.has(name) !== this.#hung.has(name)),
    );
    return this.#plan(
      view,
      new Set([...bounded.map(([host]) => host), ...hostsWithChoice(view, changedIdcs)]),
    );
  }

  plansOf(view: MeshView, host: string, supposed: Supposed = {}): readonly GroupPlan[] {
    const { idc, unreached = [], reached = new Set(), evacuated = [] } = supposed;
    const own = this.#context(view);
    const context = idc === undefined || idc === own.localIdc ? own : contextElsewhere(own, idc);
    const all = [...this.#unreached, ...unreached].filter((one) => !reached.has(one));
    const leaving = evacuated.map((name): ActiveEvacuation => ({ idc: name, groups: [], percent: 100 }));
    const evacuations = [...this.#evacuations, ...leaving];
    return plansOfHost(view.groups.get(host), { ...context, unreached: new Set(all), evacuations });
  }

  #context({ idcs }: MeshView): PlanContext {
    return {
      ...this.#options,
      idcs,
      checkIntervalMsMin: this.#intervalMsMin,
      evacuations: this.#evacuations,
      besideCritical: this.#besideCritical,
      unreached: this.#unreached,
      hung: this.#hung,
    };
  }

  #plan(view: MeshView, hosts: Iterable<string>): Map<string, readonly GroupPlan[]> {
    const context = this.#context(view);
    const plans = new Map<string, readonly GroupPlan[]>();
    for (const host of hosts) {
      const planned = plansOfHost(view.groups.get(host), context).map((plan) =>
        shareParts(plan, this.#shared),
      );
      plans.set(host, planned);
      setMembership(
        this.#checked,
        host,
        planned.some(({ crossing }) => crossing?.check !== undefined),
      );
      const bounded = planned.filter(({ spill }) => spill !== undefined).flatMap(instancesOf);
      if (planned.some(({ spill }) => spill !== undefined)) this.#limited.set(host, bounded);
      else this.#limited.delete(host);
      setMembership(this.#criticalHosts, host, planned.some(isCriticalHere));
      setMembership(this.#unbounded, host, planned.some(isUnbounded));
    }
    return plans;
  }
}

/** The parts of a plan that follow from a DR group, a policy or defaults: many Groups have them alike. */
const commonParts = [
  ...['addresses', 'connection', 'crossing', 'failback', 'handOn', 'hash', 'health', 'outlier', 'paths'],
  ...['closedPorts', 'retryBudget', 'spill', 'tls', 'warmup'],
] as const satisfies readonly (keyof GroupPlan)[];

/** The plan with these parts as those of others that are equal: they are most of its 3 KB. */
function shareParts(plan: GroupPlan, shared: SharedValues): GroupPlan {
  const common: Record<string, object> = {};
  for (const part of commonParts) {
    const value = plan[part];
    if (value !== undefined) common[part] = shared.share(part, value);
  }
  return { ...plan, ...common };
}

/** The same for another IDC, of which failbacks and hung IDCs are not known here. */
function contextElsewhere(own: PlanContext, idc: string): PlanContext {
  const { failbackShare: _, mirrorPercent: __, hung: ___, ...known } = own;
  return { ...known, localIdc: idc };
}

/** The plans of a host for all of its callers; none if it is not there. */
function plansOfHost(group: GroupView | undefined, context: PlanContext): readonly GroupPlan[] {
  return group === undefined ? [] : [group, ...(group.others ?? [])].flatMap((one) => planHost(one, context));
}

/** Groups that can cross to one of these IDCs and to another. */
function hostsWithChoice({ groups }: MeshView, changedIdcs: ReadonlySet<string>): readonly string[] {
  if (changedIdcs.size === 0) return [];
  const hasChoice = ({ drGroup }: GroupView) =>
    drGroup !== undefined &&
    drGroup.spec.idcs.length > 2 &&
    drGroup.spec.idcs.some(({ name }) => changedIdcs.has(name));
  return [...groups]
    .filter(([, view]) => [view, ...(view.others ?? [])].some(hasChoice))
    .map(([host]) => host);
}

/** Elements of one list only. */
function differing(
  a: readonly ActiveEvacuation[],
  b: readonly ActiveEvacuation[],
): readonly ActiveEvacuation[] {
  const without = (list: readonly ActiveEvacuation[], others: readonly ActiveEvacuation[]) =>
    list.filter((one) => !others.some((other) => sameContent(one, other)));
  return [...without(a, b), ...without(b, a)];
}

/** The Groups covered by any of these evacuations. */
function hostsOf({ groups }: MeshView, changedEvacuations: readonly ActiveEvacuation[]): readonly string[] {
  if (changedEvacuations.length === 0) return [];
  const concerns = ({ host, entry, siblings = [] }: GroupView) =>
    [entry, ...siblings.map((one) => one.entry)].some(({ meta }) =>
      changedEvacuations.some((one) => evacuates(one, host, meta.labels)),
    );
  return [...groups]
    .filter(([, view]) => [view, ...(view.others ?? [])].some(concerns))
    .map(([host]) => host);
}
