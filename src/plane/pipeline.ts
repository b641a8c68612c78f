import type { Clock, Timer } from '../base/clock.ts';
import type { MeshError } from '../base/error.ts';
import type { Logger } from '../base/log.ts';
import type { Pushed } from '../delivery/deletion/deletions.ts';
import type { Ledger, OpenPush } from '../delivery/ledger.ts';
import type { AllWatched } from '../delivery/reach/reach.ts';
import { sameContent } from '../index/equal.ts';
import { createIndex } from '../index/store.ts';
import type { MeshIndex, MeshView } from '../index/view.ts';
import type { Evacuation, EvacuationStatus } from '../model/evacuation.ts';
import type { Finding } from '../model/finding.ts';
import type { NodeScope } from '../model/node.ts';
import { type Change, refOf, showRef } from '../model/object.ts';
import { allReached, type Reach } from '../model/reach.ts';
import type { LoopPrevention } from '../model/trail.ts';
import { evacuationsAt, evacuationsChangeAt } from '../plan/evacuation/evacuation.ts';
import {
  type EvacuationEffect,
  evacuationEffect,
  evacuationStatuses,
  sendsAllAway,
} from '../plan/evacuation/evacuation-effect.ts';
import type { KnownHealth } from '../plan/evacuation/evacuation-room.ts';
import { describeLeftOut, type LeftOut, planLeftOut, watchedGateways } from '../plan/gateways.ts';
import { createPlanner, type PlannedGroups } from '../plan/planner.ts';
import { planPolicies } from '../plan/trail.ts';
import type { GroupPlan } from '../plan/types.ts';
import type { PolicyCompiler } from '../trail/compile.ts';
import { createFilterKeeper } from '../trail/filter-keeper.ts';
import { Catalog, freshenedAtOnce } from '../translate/catalog.ts';
import type { ScopeChange } from '../translate/changes.ts';
import type { Built, Filters } from '../translate/resources.ts';
import { EncodeLine } from '../xds/codec/encode-ahead.ts';
import { typeUrlOf } from '../xds/resource-types.ts';
import type { Applied, Cause, ResourceChange } from '../xds/xds.ts';
import { applySalvaging } from './apply-salvaging.ts';

/** What the path from event to push needs. */
interface PipelineOptions {
  readonly idc: string;
  readonly hopLimit: number;
  readonly loopPrevention: LoopPrevention;
  /** Closed with the path. */
  readonly compiler: PolicyCompiler;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly ledger: Ledger;
  /** Applies resource changes to a node class. Throws MeshError `invalid`. */
  apply(nodeClass: string, changes: readonly ResourceChange[], cause: Cause): Applied;
  /** A Group's local percentage during failback (`PlanContext.heldShare`). */
  heldShare?(group: string, evacuated: number): number | undefined;
  /** The percentage of a Group's reads that are mirrored (`PlanContext.mirrored`). */
  mirrored?(group: string): number | undefined;
  /** Known health of instances besides refused connections (`KnownHealth`). */
  readonly health?: Pick<KnownHealth, 'goodOf' | 'slotsBeforeOf'>;
  /** Groups were planned again. */
  onPlanned?(plans: PlannedGroups): void;
  /** A resource could not be encoded; the last good one stays. */
  onRefused(): void;
  /**
   * Filters have arrived, and dependent resources were applied. `areCurrent`: no newer ones are being
   * compiled.
   */
  onFilters(areCurrent: boolean): void;
  onFilterFailure(): void;
}

/** The path from a registry event to its push: index → plan → translate → xds. */
export interface Pipeline {
  /** Applies changes that `source` read together; returns the resulting push, which has been applied. */
  apply(source: string, batch: readonly Change[]): Pushed;
  /** Plans these hosts again for a reason other than a registry event, given in a word. */
  replan(hosts: Iterable<string>, reason: string): void;
  /** The newest revision. */
  revision(): number;
  /** Compiles the filters that the IDCs need, unless they exist; `at`: when the change was read. */
  wantFilters(at: number): void;
  /** Whether the filters requested last exist. */
  hasFilters(): boolean;
  /** Applies all resources of a new node class. */
  open(nodeClass: string, scope: NodeScope): void;
  /**
   * Targets to probe: gateways that proxies are sent to, and what limits on requests from other IDCs depend
   * on.
   */
  watched(): AllWatched;
  /** Applies the results of probes. */
  reached(reach: Reach): void;
  /** Whether there are such limits, and hosts that could have one and do not. */
  hasLimits(): boolean;
  unbounded(): readonly string[];
  /** The plans of a host, made again for whoever asks. */
  plansOf(host: string): readonly GroupPlan[];
  /** Forgets a class. */
  forget(nodeClass: string): void;
  view(): MeshView;
  readonly evacuations: {
    /** All evacuations, the local IDC, the known IDCs, and the time. */
    list(): {
      readonly idc: string;
      readonly idcs: readonly string[];
      readonly items: readonly EvacuationStatus[];
      /** The clock by which they begin and end, RFC 3339. */
      readonly at: string;
    };
    /** The effect of an evacuation, replacing one of its name. */
    effect(evacuation: Evacuation): EvacuationEffect;
  };
  /** Read access to the index, for comparison with the sources. */
  readonly index: Pick<MeshIndex, 'holds' | 'refs' | 'disagreementsOf'>;
  /** What could not be pushed, or is not pushed as it was asked for. */
  problems(): readonly Finding[];
  close(): Promise<void>;
}

const noChange = { groups: new Set<string>(), idcs: new Set<string>() };

/**
 * Longest interval of clock checks while there is an evacuation, even an ended one: the machine's clock may
 * be set.
 */
const timeLookMsMax = 10_000;

/** Larger classes are encoded in slices. */
const openAtOnceMax = 1_000;

/** Creates an empty pipeline. */
export function createPipeline(options: PipelineOptions): Pipeline {
  const { idc, hopLimit, loopPrevention, clock, logger, ledger } = options;
  const index = createIndex({ idc });
  const { heldShare, mirrored } = options;
  const planner = createPlanner({
    own: idc,
    hopLimit,
    loopPrevention,
    ...(heldShare && { heldShare }),
    ...(mirrored && { mirrored }),
  });
  const catalog = new Catalog();
  const refused = new Map<string, Finding>();
  /** Node classes being encoded, with their initial resources. */
  const opening = new Map<string, Map<string, Built>>();
  const encoding = new EncodeLine(clock);
  let filters: Filters = {};
  let filterProblem: Finding | undefined;
  let revision = 0;
  let nextLook: Timer | undefined;
  let nextSlice: Timer | undefined;
  let ready: boolean | undefined;
  let reach = allReached;
  let leftOut: readonly LeftOut[] = [];

  const keeper = createFilterKeeper({
    compiler: options.compiler,
    clock,
    logger,
    onFilters(compiled, at) {
      filterProblem = undefined;
      filters = Object.fromEntries(compiled.map((filter) => [filter.policy.listener, filter]));
      const push = ledger.begin('filters', at, 1, 'trail filters');
      surround(push, []);
      push.end();
      options.onFilters(keeper.isCurrent());
    },
    onFailure(error) {
      const message = `not pushed, the last good filters stay: ${error.message}`;
      const where = error.ref === undefined ? 'trail filters' : `trail filter ${error.ref}`;
      filterProblem = { code: 'FilterNotCompiled', severity: 'error', where, path: '', message };
      options.onFilterFailure();
    },
  });

  function surround(push: OpenPush, applied: Applied[]): void {
    const { idcs } = index.view();
    ready = readiness();
    const now = planLeftOut(idcs, idc, reach);
    if (!sameContent(now, leftOut)) leftOut = now;
    publish(catalog.surround(idcs, { own: idcs.get(idc), filters, ready, leftOut }), push, applied);
    freshenSlowly(clock.now());
  }

  /** Rebuilds outdated endpoints in slices; `at`: when the cause was read. */
  function freshenSlowly(at: number): void {
    if (catalog.stale === 0 || nextSlice !== undefined) return;
    nextSlice = clock.after(0, () => {
      nextSlice = undefined;
      const push = ledger.begin('reach', at, 1, 'change of reachability');
      publish(catalog.freshen(freshenedAtOnce), push, []);
      push.end();
      freshenSlowly(at);
    });
  }

  /** The readiness of the edge; undefined: not reported. */
  function readiness(): boolean | undefined {
    const view = index.view();
    if (!view.idcs.get(idc)?.spec.exposeReady) return undefined;
    return !sendsAllAway(view, evacuationsAt(view, clock.wall()), idc, hopLimit);
  }

  /** Plans these hosts, and what is due by the clock. */
  function planAnew(hosts: Iterable<string>, reason: string): void {
    const plans = planner.update(index.view(), { ...noChange, groups: new Set(hosts) }, clock.wall());
    if (plans.size === 0) return;
    const push = ledger.begin('time', clock.now(), 1, reason);
    publish(catalog.update(plans), push, []);
    push.end();
    options.onPlanned?.(plans);
  }

  /** Plans evacuations again when they begin, step or end by the clock. */
  function lookAtTime(): void {
    nextLook?.cancel();
    if (index.view().evacuations.size === 0) return;
    const wall = clock.wall();
    const at = evacuationsChangeAt(index.view(), wall) ?? Number.POSITIVE_INFINITY;
    nextLook = clock.after(Math.min(at - wall, timeLookMsMax), () => {
      planAnew([], 'evacuation');
      if (readiness() !== ready) {
        const push = ledger.begin('time', clock.now(), 1, 'readiness of the edge');
        surround(push, []);
        push.end();
      }
      lookAtTime();
    });
  }

  /** Applies changes of scopes, and adds the result to `applied`. */
  function publish(changes: ReadonlyMap<string, ScopeChange>, push: OpenPush, applied: Applied[]): void {
    for (const [nodeClass, change] of changes) {
      const waiting = opening.get(nodeClass);
      if (waiting === undefined) applied.push(...put(nodeClass, change, push));
      else {
        for (const one of change.upserts) waiting.set(keyOf(one), one);
        for (const one of change.removals) waiting.delete(keyOf(one));
      }
    }
  }

  /** Streams of a large class are answered once all of it is encoded; other streams are not delayed. */
  function openSlowly(nodeClass: string, built: readonly Built[]): void {
    const waiting = new Map(built.map((one) => [keyOf(one), one]));
    opening.set(nodeClass, waiting);
    const messages = built.map(({ message }) => message);
    // False if the class was dropped meanwhile.
    const isWanted = () => opening.get(nodeClass) === waiting;
    encoding.add(messages, isWanted, () => {
      opening.delete(nodeClass);
      put(nodeClass, { upserts: [...waiting.values()], removals: [] });
    });
  }

  function put(nodeClass: string, { upserts, removals }: ScopeChange, push?: OpenPush): Applied[] {
    const done: Applied[] = [];
    const changes: ResourceChange[] = [
      ...upserts.map(({ message }) => ({ upsert: message })),
      ...removals.map(({ kind, name }) => ({ remove: { typeUrl: typeUrlOf(kind), name } })),
    ];
    if (refused.size > 0)
      for (const { kind, name } of [...upserts, ...removals]) refused.delete(`${kind} ${name}`);
    applySalvaging(
      changes,
      (some) => {
        const start = clock.now();
        const applied = options.apply(nodeClass, some, push?.cause ?? { at: start });
        revision = applied.revision;
        done.push(applied);
        if (applied.changed > 0) push?.put(applied.revision, applied.subscriptions, clock.now() - start);
      },
      (change, error) =>
        refuse([...upserts, ...removals][changes.indexOf(change)] as Built, error, nodeClass),
    );
    return done;
  }

  function refuse({ kind, name }: Pick<Built, 'kind' | 'name'>, error: MeshError, nodeClass: string): void {
    const message = `could not be pushed, the last good one stays: ${error.message}`;
    const where = `${kind} ${name}`;
    refused.set(where, { code: 'ResourceNotEncoded', severity: 'error', where, path: '', message });
    options.onRefused();
    logger.error('resource not pushed; the last good one stays', { error: error.message, nodeClass });
  }

  return {
    apply(source, batch) {
      const at = batch.reduce((earliest, change) => Math.min(earliest, change.at), clock.now());
      const push = ledger.begin(source, at, batch.length, nameOf(batch[0]));
      const delta = index.apply(batch);
      const view = index.view();
      const applied: Applied[] = [];
      if (delta.idcs.size > 0 || readiness() !== ready) surround(push, applied);
      const plans = planner.update(view, delta, clock.wall());
      if (plans.size > 0) publish(catalog.update(plans), push, applied);
      push.end();
      options.onPlanned?.(plans);
      lookAtTime();
      return { revision, resources: unionOf(applied.map(({ resources }) => resources)) };
    },
    replan: planAnew,
    revision: () => revision,
    hasFilters: () => keeper.isCurrent(),
    wantFilters: (at) => keeper.want(planPolicies(idc, index.view().idcs, hopLimit, loopPrevention), at),
    open(nodeClass, scope) {
      // The class is being opened by an earlier stream.
      if (opening.has(nodeClass)) return;
      const built = catalog.open(nodeClass, scope);
      if (built.length > openAtOnceMax) openSlowly(nodeClass, built);
      else put(nodeClass, { upserts: built, removals: [] });
    },
    watched() {
      const { egress: near, ingress: far } = watchedGateways(index.view().idcs, idc);
      return { near, far, limits: planner.watched(index.view()) };
    },
    reached(found) {
      reach = found;
      const view = index.view();
      const plans = planner.reached(reach, view);
      const isOther = !sameContent(planLeftOut(view.idcs, idc, reach), leftOut);
      if (plans.size === 0 && !isOther) return;
      const push = ledger.begin('reach', clock.now(), 1, 'change of reachability');
      if (isOther) surround(push, []);
      if (plans.size > 0) publish(catalog.update(plans), push, []);
      push.end();
    },
    hasLimits: () => planner.hasLimits(),
    unbounded: () => planner.unbounded(),
    plansOf: (host) => planner.plansOf(index.view(), host),
    forget(nodeClass) {
      opening.delete(nodeClass);
      catalog.close(nodeClass);
    },
    view: () => index.view(),
    evacuations: {
      list: () => ({
        ...{ idc, idcs: [...index.view().idcs.keys()].sort() },
        items: evacuationStatuses(index.view(), clock.wall()),
        at: new Date(clock.wall()).toISOString(),
      }),
      effect: (evacuation) =>
        evacuationEffect(index.view(), evacuation, {
          ...{ own: idc, hopLimit, wallMs: clock.wall(), unreached: planner.dead() },
          ...options.health,
        }),
    },
    index,
    problems: () => [
      ...(filterProblem ? [filterProblem] : []),
      ...refused.values(),
      ...leftOut.map(describeLeftOut),
    ],
    close() {
      nextLook?.cancel();
      nextSlice?.cancel();
      opening.clear();
      return keeper.close();
    },
  };
}

/** The union by type. */
function unionOf(parts: readonly Pushed['resources'][]): Pushed['resources'] {
  const union = new Map<string, Set<string>>();
  for (const part of parts)
    for (const [type, names] of part) {
      const into = union.get(type) ?? new Set();
      for (const name of names) into.add(name);
      union.set(type, into);
    }
  return union;
}

function keyOf({ kind, name }: Pick<Built, 'kind' | 'name'>): string {
  return `${kind} ${name}`;
}

/** The first change as text, for logs. */
function nameOf(change: Change | undefined): string {
  if (change === undefined) return 'nothing';
  if (change.type === 'synced') return `${change.source} synced`;
  return showRef(change.type === 'upsert' ? refOf(change.object) : change.ref);
}
