import { MeshError } from '../base/error.ts';
import type { Explanation } from '../contract/explain.ts';
import type { GroupView } from '../index/view.ts';
import type { EvacuationStatus } from '../model/evacuation.ts';
import type { LoopPrevention } from '../model/trail.ts';
import type { HungGateway } from '../plan/gateways.ts';
import type { Supposed } from '../plan/planner.ts';
import type { GroupPlan } from '../plan/types.ts';
import { awayCluster, egressCluster, instancesCluster } from '../translate/names.ts';
import { findDeclared, isPlanOf, seesPlan } from '../who/declared.ts';
import { type ExitsOptions, findLostExits } from '../who/gateways/exits.ts';
import type { ReadClusters } from '../who/read-clusters.ts';
import { chooseProxies, readAll, whoLimits } from '../who/read-proxies.ts';
import type { AskedProxy, ProxyReading } from '../who/types.ts';
import { type Assumed, readAssumed } from './assumed.ts';
import { gatewaysByPlace, proxyLabel } from './gateway-names.ts';
import { describeRefused, type ProxyRefusal, refusalsOn } from './refused.ts';
import { describeUnseen, endOf, notesOf } from './report.ts';
import { findStart } from './start.ts';
import { readTold } from './told.ts';
import type { WayFacts } from './types.ts';
import { followRequest } from './walk.ts';
import { explainWhyNot } from './why-not.ts';

/** What the question needs to know. */
interface ExplainOptions extends ExitsOptions {
  readonly hopLimit: number;
  readonly loopPrevention: LoopPrevention;
  plansOf(host: string, supposed?: Supposed): readonly GroupPlan[];
  hungGateways(): readonly HungGateway[];
  evacuations(): readonly EvacuationStatus[];
  /** What connected proxies refuse. */
  refusals(): Iterable<ProxyRefusal>;
  readonly read: ReadClusters;
}

/** A question. */
export interface ExplainQuestion {
  /** `IDC/NODE`. */
  readonly from: string;
  /** IDCs that the request has been in, oldest first; absent: it begins here. */
  readonly trail?: readonly string[] | undefined;
  readonly path: string;
  readonly method: string;
  readonly whyNot?: string | undefined;
  /** `NAME=down`s, and other states. */
  readonly if?: readonly string[] | undefined;
  /** The same; names that are not known here count for nothing. */
  readonly ifKnown?: readonly string[] | undefined;
  /** What other IDCs make of it (`readTold`). */
  readonly told?: readonly string[] | undefined;
}

/** Answers which way a request goes. */
export interface Explainer {
  /**
   * Follows a request for `host`, or `HOST:PORT`. Throws MeshError `not-found` for a name that does not
   * exist, `invalid` for a question that has no answer, `exhausted` if too many ask at once.
   */
  explain(host: string, question: ExplainQuestion): Promise<Explanation>;
}

/** Creates an explainer: it keeps nothing between questions. */
export function createExplainer(options: ExplainOptions): Explainer {
  let asked = 0;
  return {
    async explain(host, question) {
      if (asked >= whoLimits.questionsMax)
        throw new MeshError('exhausted', `${asked} ways are being explained: ask again in some seconds`);
      asked += 1;
      try {
        return await answer(options, host, question);
      } finally {
        asked -= 1;
      }
    },
  };
}

/** The Group and the port that a request of a caller is for. */
interface Target {
  readonly host: string;
  readonly plan: GroupPlan;
  readonly view: GroupView;
}

async function answer(
  options: ExplainOptions,
  text: string,
  question: ExplainQuestion,
): Promise<Explanation> {
  const { idc, clock } = options;
  const { idcs } = options.view();
  const proxies = [...options.proxies()];
  const caller = findStart({ idc, idcs, proxies }, [...options.gone()], question.from);
  const label = proxyLabel(caller, { idcs, proxies });
  const { host, plans } = findDeclared(options, text);
  const at = new Date(clock.wall()).toISOString();
  const trail = question.trail ?? [];
  const others = [...idcs.values()]
    .filter(({ meta }) => meta.name !== idc)
    .map(({ meta, spec }) => ({ idc: meta.name, controlPlanes: spec.controlPlanes ?? [] }));
  const head = {
    ...{ host, idc, at, from: { node: caller.node, role: caller.role, name: label }, others },
    request: { method: question.method.toUpperCase(), path: question.path, trail },
  };
  const own = plans.filter((plan) => seesPlan(caller, plan));
  const [first] = own;
  if (first === undefined)
    return {
      ...head,
      ...describeUnseen(options.view().groups.get(host), plans, caller, label),
    };
  const target = targetOf(options, host, own.find((plan) => plan.isDefaultPort) ?? first);
  const known = plansByIdc(options, target, undefined);
  const parts = { idc, idcs, proxies, host, view: target.view, plans: known };
  const assumed = readAssumed(parts, question.if ?? [], question.ifKnown ?? []);
  const { readings, silent } = await readWay(options, proxies, caller, target);
  const alive = readings.map(({ proxy }) => proxy);
  const { lost } = await findLostExits(options, alive);
  const facts: WayFacts = {
    ...{ idc, caller, method: head.request.method, view: target.view, readings, idcs },
    callerLabel: label,
    gateways: gatewaysByPlace({ idcs, proxies }),
    plans: assumed.list.length === 0 ? known : plansByIdc(options, target, assumed),
    ...{ hopLimit: options.hopLimit, loopPrevention: options.loopPrevention },
    ...{ evacuations: options.evacuations(), hungGateways: options.hungGateways() },
    lostExits: new Map(lost.flatMap(({ addresses, why }) => addresses.map((one) => [one, why]))),
    ...{ down: assumed.down, up: assumed.up, told: readTold(question.told ?? []) },
  };
  const listener = caller.role !== 'ingress' ? 'outbound' : trail.length > 0 ? 'peer' : 'edge';
  const way = followRequest(facts, listener, trail);
  const refused = refusalsOn(facts, way, options.refusals(), proxies);
  return {
    ...head,
    ...{ port: target.plan.group.port, protocol: target.plan.protocol, ...endOf(facts, way) },
    hops: way.hops,
    ...describeRefused(facts, way, refused),
    ...(question.whyNot === undefined ? {} : { whyNot: explainWhyNot(facts, way, question.whyNot) }),
    assumed: assumed.list,
    notes: notesOf(facts, way, head.request, assumed.list.length > 0),
    ...{ refused, silent },
  };
}

function targetOf(options: ExplainOptions, host: string, plan: GroupPlan): Target {
  const group = options.view().groups.get(host);
  const view = [group, ...(group?.others ?? [])].find((one) => isPlanOf(one, plan));
  if (view === undefined) throw new MeshError('not-found', `${host} was removed meanwhile: ask again`);
  return { host, plan, view };
}

/** The plans of a port in each IDC, with what is assumed not reached. */
function plansByIdc(
  options: ExplainOptions,
  { host, plan }: Target,
  assumed: Assumed | undefined,
): ReadonlyMap<string, GroupPlan> {
  const idcs = new Set([options.idc, ...options.view().idcs.keys()]);
  const supposed = assumed && {
    unreached: placesOf(assumed.down),
    reached: placesOf(assumed.up),
    evacuated: assumed.evacuated,
  };
  return new Map(
    [...idcs].flatMap((idc) => {
      const all = options.plansOf(host, { idc, ...supposed });
      const isSame = ({ group, seenBy }: GroupPlan) =>
        group.port === plan.group.port && JSON.stringify(seenBy) === JSON.stringify(plan.seenBy);
      const found = all.find(isSame);
      return found === undefined ? [] : [[idc, found] as const];
    }),
  );
}

/** The same places as probes name them (`addressName`). */
function placesOf(keys: ReadonlySet<string>): ReadonlySet<string> {
  const places = [...keys].map((key) => /^\S+ \[?(.*?)\]?:(\d+)$/.exec(key));
  return new Set(places.flatMap((found) => (found === null ? [] : [`${found[1]} ${found[2]}`])));
}

/** Reads the caller, and the egress gateways that have the Group. */
async function readWay(
  { read }: ExplainOptions,
  proxies: readonly AskedProxy[],
  caller: AskedProxy,
  { plan }: Target,
): Promise<{ readonly readings: readonly ProxyReading[]; readonly silent: Explanation['silent'] }> {
  const exits = proxies.filter((one) => one.role === 'egress' && seesPlan(one, plan));
  const chosen = [...(caller.role === 'grpc' ? [] : [caller]), ...chooseProxies(exits)];
  const names = [instancesCluster(plan.group), awayCluster(plan), egressCluster];
  const found = await readAll(chosen, names, read);
  const readings = [...found].flatMap(([proxy, page]) =>
    typeof page === 'string' ? [] : [{ proxy, before: page, after: page }],
  );
  const silent = [...found].flatMap(([{ node, role }, why]) =>
    typeof why === 'string' ? [{ node, role, why }] : [],
  );
  return { readings, silent };
}
