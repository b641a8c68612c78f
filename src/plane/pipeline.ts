import type { Clock, Timer } from '../base/clock.ts';
import type { MeshError } from '../base/error.ts';
import type { Logger } from '../base/log.ts';
import { WorkLine } from '../base/work-line.ts';
import type { Pushed } from '../delivery/deletion/deletions.ts';
import type { Ledger, OpenPush } from '../delivery/ledger.ts';
import type { ProbeTargets } from '../delivery/reach/reach.ts';
import { sameContent } from '../index/same-content.ts';
import { createIndex } from '../index/store.ts';
import type { Instance, MeshIndex, MeshView } from '../index/view.ts';
import type { Evacuation, EvacuationStatus } from '../model/evacuation.ts';
import type { Finding } from '../model/finding.ts';
import type { NodeScope } from '../model/node.ts';
import { type Change, type Ref, refOf, showRef } from '../model/object.ts';
import { allReached, type Reach } from '../model/reach.ts';
import type { LoopPrevention } from '../model/trail.ts';
import { evacuationsChangeAt } from '../plan/evacuation/evacuation.ts';
import type { KnownHealth } from '../plan/evacuation/evacuation-capacity.ts';
import {
  type EvacuationEffect,
  edgeReadiness,
  evacuationEffect,
  evacuationStatuses,
} from '../plan/evacuation/evacuation-effect.ts';
import {
  describeHungGateways,
  gatewaysToProbe,
  type HungGateway,
  planHungGateways,
} from '../plan/gateways.ts';
import { createPlanner, type PlannedGroups, type Supposed } from '../plan/planner.ts';
import { planTrailPolicies } from '../plan/trail.ts';
import type { GroupPlan, ListenerRole } from '../plan/types.ts';
import type { PolicyCompiler } from '../trail/compile.ts';
import { createFilterKeeper } from '../trail/filter-keeper.ts';
import { Catalog, endpointsRebuiltAtOnce } from '../translate/catalog.ts';
import type { ScopeChange } from '../translate/changes.ts';
import type { BuiltResource, CompiledFilters } from '../translate/resources.ts';
import { typeUrlOf } from '../xds/resource-types.ts';
import type { Applied, Cause, ResourceChange } from '../xds/xds.ts';
import { applyValidChanges } from './apply-valid-changes.ts';
import { packResource, templateOfPacked } from './push/pack-resource.ts';
import { unionOf } from './push/union.ts';

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
  /** A Group's local percentage during failback (`PlanContext.failbackShare`). */
  failbackShare?(group: string, evacuated: number): number | undefined;
  /** The percentage of a Group's reads that are mirrored (`PlanContext.mirrorPercent`). */
  mirrorPercent?(group: string): number | undefined;
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
  requestFilters(at: number): void;
  /** Whether the filters requested last exist. */
  hasFilters(): boolean;
  /** Applies all resources of a new node class. */
  open(nodeClass: string, scope: NodeScope): void;
  /**
   * Targets to probe: gateways that proxies are sent to, and what limits on requests from other IDCs depend
   * on.
   */
  probeTargets(): ProbeTargets;
  /** Applies the results of probes. */
  applyReach(reach: Reach): void;
  /** Whether there are such limits, and hosts that could have one and do not. */
  hasLimits(): boolean;
  withoutLimit(): readonly string[];
  /** The plans of a host, made again for whoever asks. */
  plansOf(host: string, supposed?: Supposed): readonly GroupPlan[];
  /** Gateways that proxies are not sent to, as they hang. */
  hungGateways(): readonly HungGateway[];
  /** Serves the routes of these listeners to a class also as one table each (`WholeTables`). */
  serveWhole(nodeClass: string, listeners: readonly ListenerRole[]): void;
  /** Whether nothing else serves the requests of a route table of a class (`Catalog`). */
  standsAlone(nodeClass: string, table: string): boolean;
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
  /** The instance of a WorkloadEntry; undefined: there is none. */
  instanceOf(ref: Ref): Instance | undefined;
  /** Read access to the index, for comparison with the sources. */
  readonly index: Pick<MeshIndex, 'hasExactly' | 'contentOf' | 'refs' | 'disagreementsOf'>;
  /** What could not be pushed, or is not pushed as it was asked for. */
  problems(): readonly Finding[];
  close(): Promise<void>;
}

const noChange = { groups: new Set<string>(), idcs: new Set<string>() };

/**
 * Longest interval of clock checks while there is an evacuation, even an ended one: the machine's clock may
 * be set.
 */
const timeCheckMsMax = 10_000;

/** Classes with more Groups are built in slices. */
const openAtOnceMax = 250;

/** Creates an empty pipeline. */
export function createPipeline(options: PipelineOptions): Pipeline {
  const { idc, hopLimit, loopPrevention, clock, logger, ledger } = options;
  const index = createIndex({ idc });
  const { failbackShare, mirrorPercent } = options;
  const planner = createPlanner({
    localIdc: idc,
    hopLimit,
    loopPrevention,
    ...(failbackShare && { failbackShare }),
    ...(mirrorPercent && { mirrorPercent }),
  });
  const catalog = new Catalog({ pack: packResource, templateOf: templateOfPacked });
  const refused = new Map<string, Finding>();
  /** Node classes being built, with what they have so far. */
  const opening = new Map<string, Map<string, BuiltResource>>();
  const building = new WorkLine(clock);
  let filters: CompiledFilters = {};
  let filterProblem: Finding | undefined;
  let revision = 0;
  let nextTimeCheck: Timer | undefined;
  let nextSlice: Timer | undefined;
  let ready: boolean | undefined;
  let reach = allReached;
  let hungGateways: readonly HungGateway[] = [];

  const keeper = createFilterKeeper({
    compiler: options.compiler,
    clock,
    logger,
    onFilters(compiled, at) {
      filterProblem = undefined;
      filters = Object.fromEntries(compiled.map((filter) => [filter.policy.listener, filter]));
      const push = ledger.begin('filters', at, 1, 'trail filters');
      updateContext(push, []);
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

  function updateContext(push: OpenPush, applied: Applied[]): void {
    const { idcs } = index.view();
    ready = readiness();
    const now = planHungGateways(idcs, idc, reach);
    if (!sameContent(now, hungGateways)) hungGateways = now;
    const context = { localIdc: idcs.get(idc), filters, ready, hungGateways };
    publish(catalog.updateContext(idcs, context), push, applied);
    rebuildStaleInSlices(clock.now());
  }

  /** Rebuilds outdated endpoints in slices; `at`: when the cause was read. */
  function rebuildStaleInSlices(at: number): void {
    if (catalog.stale === 0 || nextSlice !== undefined) return;
    nextSlice = clock.after(0, () => {
      nextSlice = undefined;
      const push = ledger.begin('reach', at, 1, 'change of reachability');
      publish(catalog.rebuildStale(endpointsRebuiltAtOnce), push, []);
      push.end();
      rebuildStaleInSlices(at);
    });
  }

  /** The readiness of the edge; undefined: not reported. */
  function readiness(): boolean | undefined {
    return edgeReadiness(index.view(), idc, hopLimit, clock.wall());
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
  function scheduleByClock(): void {
    nextTimeCheck?.cancel();
    if (index.view().evacuations.size === 0) return;
    const wall = clock.wall();
    const at = evacuationsChangeAt(index.view(), wall) ?? Number.POSITIVE_INFINITY;
    nextTimeCheck = clock.after(Math.min(at - wall, timeCheckMsMax), () => {
      planAnew([], 'evacuation');
      if (readiness() !== ready) {
        const push = ledger.begin('time', clock.now(), 1, 'readiness of the edge');
        updateContext(push, []);
        push.end();
      }
      scheduleByClock();
    });
  }

  /** Applies changes of scopes, and adds the result to `applied`. */
  function publish(changes: ReadonlyMap<string, ScopeChange>, push?: OpenPush, applied: Applied[] = []) {
    for (const [nodeClass, change] of changes) {
      const waiting = opening.get(nodeClass);
      if (waiting === undefined) applied.push(...applyChanges(nodeClass, change, push));
      else {
        for (const one of change.upserts) waiting.set(keyOf(one), one);
        for (const one of change.removals) waiting.delete(keyOf(one));
      }
    }
  }

  /** Streams of a large class are answered once all of it is built; other streams are not delayed. */
  function openInSlices(nodeClass: string, parts: Iterable<readonly BuiltResource[]>): void {
    const waiting = new Map<string, BuiltResource>();
    opening.set(nodeClass, waiting);
    const steps = function* () {
      for (const part of parts) {
        for (const one of part) waiting.set(keyOf(one), one);
        yield;
      }
    };
    // False if the class was dropped meanwhile.
    const isWanted = () => opening.get(nodeClass) === waiting;
    building.add(steps(), isWanted, () => {
      opening.delete(nodeClass);
      applyChanges(nodeClass, { upserts: [...waiting.values()], removals: [] });
    });
  }

  function applyChanges(nodeClass: string, { upserts, removals }: ScopeChange, push?: OpenPush): Applied[] {
    const results: Applied[] = [];
    const changes: ResourceChange[] = [
      ...upserts.map(({ message }) => ({ upsert: message })),
      ...removals.map(({ kind, name }) => ({ remove: { typeUrl: typeUrlOf(kind), name } })),
    ];
    if (refused.size > 0)
      for (const { kind, name } of [...upserts, ...removals]) refused.delete(`${kind} ${name}`);
    applyValidChanges(
      changes,
      (some) => {
        const start = clock.now();
        const applied = options.apply(nodeClass, some, push?.cause ?? { at: start });
        revision = applied.revision;
        results.push(applied);
        if (applied.changed > 0) push?.addPart(applied.revision, applied.subscriptions, clock.now() - start);
      },
      (change, error) =>
        refuse([...upserts, ...removals][changes.indexOf(change)] as BuiltResource, error, nodeClass),
    );
    return results;
  }

  function refuse(
    { kind, name }: Pick<BuiltResource, 'kind' | 'name'>,
    error: MeshError,
    nodeClass: string,
  ): void {
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
      if (delta.idcs.size > 0 || readiness() !== ready) updateContext(push, applied);
      const plans = planner.update(view, delta, clock.wall());
      if (plans.size > 0) publish(catalog.update(plans), push, applied);
      push.end();
      options.onPlanned?.(plans);
      scheduleByClock();
      return { revision, resources: unionOf(applied.map(({ resources }) => resources)) };
    },
    replan: planAnew,
    revision: () => revision,
    hasFilters: () => keeper.isCurrent(),
    requestFilters: (at) =>
      keeper.setPolicies(planTrailPolicies(idc, index.view().idcs, hopLimit, loopPrevention), at),
    open(nodeClass, scope) {
      // The class is being opened by an earlier stream.
      if (opening.has(nodeClass)) return;
      if (catalog.countOf(scope) > openAtOnceMax)
        openInSlices(nodeClass, catalog.openInParts(nodeClass, scope));
      else applyChanges(nodeClass, { upserts: catalog.open(nodeClass, scope), removals: [] });
    },
    probeTargets() {
      const { egress: near, ingress: far } = gatewaysToProbe(index.view().idcs, idc);
      return { near, far, limits: planner.probeTargets(index.view()) };
    },
    applyReach(found) {
      reach = found;
      const view = index.view();
      const plans = planner.applyReach(reach, view);
      const isOther = !sameContent(planHungGateways(view.idcs, idc, reach), hungGateways);
      if (plans.size === 0 && !isOther) return;
      const push = ledger.begin('reach', clock.now(), 1, 'change of reachability');
      if (isOther) updateContext(push, []);
      if (plans.size > 0) publish(catalog.update(plans), push, []);
      push.end();
    },
    hasLimits: () => planner.hasLimits(),
    withoutLimit: () => planner.withoutLimit(),
    plansOf: (host, supposed) => planner.plansOf(index.view(), host, supposed),
    hungGateways: () => hungGateways,
    serveWhole: (nodeClass, listeners) => publish(catalog.serveWhole(nodeClass, listeners)),
    standsAlone: (nodeClass, table) => catalog.standsAlone(nodeClass, table),
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
          ...{ localIdc: idc, hopLimit, wallMs: clock.wall(), unreached: planner.unreached() },
          ...options.health,
        }),
    },
    index,
    instanceOf: (ref) => index.instanceOf(ref),
    problems: () => [
      ...(filterProblem ? [filterProblem] : []),
      ...refused.values(),
      ...describeHungGateways(index.view().idcs, idc, reach),
    ],
    close() {
      nextTimeCheck?.cancel();
      nextSlice?.cancel();
      opening.clear();
      return keeper.close();
    },
  };
}

function keyOf({ kind, name }: Pick<BuiltResource, 'kind' | 'name'>): string {
  return `${kind} ${name}`;
}

/** The first change as text, for logs. */
function nameOf(change: Change | undefined): string {
  if (change === undefined) return 'nothing';
  if (change.type === 'synced') return `${change.source} synced`;
  return showRef(change.type === 'upsert' ? refOf(change.object) : change.ref);
}
