import { type Clock, sleep } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { didYouMean } from '../base/text/suggest.ts';
import type { WhoReport } from '../contract/who.ts';
import type { GroupView, MeshView } from '../index/view.ts';
import type { EvacuationStatus } from '../model/evacuation.ts';
import { canonicalHost, patternsOf } from '../model/values/hostname.ts';
import { groupKey } from '../plan/group.ts';
import type { GroupPlan } from '../plan/types.ts';
import { egressCluster, idcsCluster, instancesCluster } from '../translate/names.ts';
import { seesGroup } from '../translate/scopes.ts';
import { describeGroup } from './describe.ts';
import type { ReadClusters } from './read-clusters.ts';
import type { AskedProxy, ProxyReading, SeenClusters } from './types.ts';
import { type Way, wayTo } from './way.ts';

/** What the question needs to know. */
interface WhoOptions {
  /** The local IDC. */
  readonly idc: string;
  readonly clock: Clock;
  view(): MeshView;
  plansOf(host: string): readonly GroupPlan[];
  proxies(): Iterable<AskedProxy>;
  evacuations(): readonly EvacuationStatus[];
  /** Percentages of Groups in gradual failback, by `groupKey`. */
  held(): ReadonlyMap<string, number>;
  readonly read: ReadClusters;
}

/** Answers who serves a host. */
export interface WhoReader {
  /**
   * Reads the proxies that have the host twice, `intervalMs` apart. `host` may end with a port, `HOST:PORT`.
   * Throws MeshError `not-found` if it is not declared, `exhausted` if too many ask at once.
   */
  who(host: string, intervalMs: number): Promise<WhoReport>;
}

/** Most proxies asked for a host, of each role; most that are read at once; most questions at once. */
const whoLimits = { proxiesMax: 32, readsMax: 16, questionsMax: 8 } as const;

/** Creates a reader: it keeps nothing between questions, and equal ones at one time share their readings. */
export function createWhoReader(options: WhoOptions): WhoReader {
  const asked = new Map<string, Promise<WhoReport>>();
  return {
    who(host, intervalMs) {
      const key = JSON.stringify([host, intervalMs]);
      const known = asked.get(key);
      if (known !== undefined) return known;
      if (asked.size >= whoLimits.questionsMax)
        return Promise.reject(
          new MeshError('exhausted', `${asked.size} hosts are being asked for: ask again in some seconds`),
        );
      const answer = report(options, host, intervalMs).finally(() => asked.delete(key));
      asked.set(key, answer);
      return answer;
    },
  };
}

async function report(options: WhoOptions, text: string, intervalMs: number): Promise<WhoReport> {
  const { clock, idc } = options;
  const { host, plans } = plansFor(options, text);
  const having = [...options.proxies()].filter(
    (proxy) => proxy.role !== 'grpc' && plans.some((plan) => seesPlan(proxy, plan)),
  );
  const chosen = chooseProxies(having);
  const names = [
    ...new Set(plans.flatMap(({ group }) => [instancesCluster(group), idcsCluster(group)])),
    egressCluster,
  ];
  const before = await readAll(chosen, names, options.read);
  await sleep(clock, intervalMs);
  const at = new Date(clock.wall()).toISOString();
  const answered = chosen.filter((proxy) => before.get(proxy) instanceof Map);
  const after = await readAll(answered, names, options.read);
  const readings = answered.flatMap((proxy): ProxyReading[] => {
    const [first, second] = [before.get(proxy), after.get(proxy)];
    return typeof first === 'object' && typeof second === 'object'
      ? [{ proxy, before: first, after: second }]
      : [];
  });
  const silent = chosen.flatMap((proxy) => {
    const why = [before.get(proxy), after.get(proxy)].find((one) => typeof one === 'string');
    return typeof why === 'string' ? [{ node: proxy.node, role: proxy.role, why }] : [];
  });
  const view = options.view();
  const group = view.groups.get(host);
  return {
    ...{ host, idc, at, intervalMs },
    // The plans of now: those from before the readings may be older than what proxies have meanwhile.
    groups: plansFor(options, text).plans.flatMap((plan) => {
      const own = [group, ...(group?.others ?? [])].find((one) => isOf(one, plan));
      if (own === undefined) return [];
      const facts = { plan, view: own, idc, evacuations: options.evacuations() };
      return describeGroup(
        { ...facts, returningPercent: options.held().get(groupKey(plan)) },
        readings.filter(({ proxy }) => seesPlan(proxy, plan)),
      );
    }),
    proxies: { connected: having.length, asked: chosen.length, read: readings.length, silent },
    others: [...view.idcs.values()]
      .filter(({ meta }) => meta.name !== idc)
      .map(({ meta, spec }) => ({ idc: meta.name, controlPlanes: spec.controlPlanes ?? [] })),
  };
}

/** The declared host, and its plans. Throws MeshError `not-found`. */
function plansFor(
  { view, plansOf, idc }: WhoOptions,
  text: string,
): { readonly host: string; readonly plans: readonly GroupPlan[] } {
  const { groups } = view();
  const asked = canonicalHost(text.trim());
  const [, bare = asked, port] = /^(.*?)(?::(\d+))?$/.exec(asked) ?? [];
  const host = [...patternsOf(bare)].find((one) => groups.has(one));
  if (host === undefined) {
    const words = groups.size === 0 ? 'it has no Groups' : `it has ${groups.size} hosts`;
    throw new MeshError(
      'not-found',
      `the registry of ${idc} declares no host '${bare}': ${words}.${didYouMean(bare, groups.keys())}`,
    );
  }
  const all = plansOf(host);
  if (all.length === 0)
    throw new MeshError(
      'not-found',
      `${host} is declared, but none of its ports can be served: isthmus status shows the problem`,
    );
  const plans = all.filter(({ group }) => port === undefined || group.port === Number(port));
  if (plans.length > 0) return { host, plans };
  const ports = [...new Set(all.map(({ group }) => group.port))].join(', ');
  throw new MeshError('not-found', `${host} has no port ${port}: it has ${ports}`);
}

function isOf(view: GroupView | undefined, plan: GroupPlan): boolean {
  return view !== undefined && JSON.stringify(view.seenBy) === JSON.stringify(plan.seenBy);
}

function seesPlan({ scope }: AskedProxy, { group, namespace, seenBy }: GroupPlan): boolean {
  return seesGroup(scope, { host: group.host, namespace, ...(seenBy && { seenBy }) });
}

/** So many of each role, those first that can be read. */
function chooseProxies(having: readonly AskedProxy[]): readonly AskedProxy[] {
  const byRole = Map.groupBy(having, ({ role }) => role);
  return [...byRole.values()].flatMap((list) => {
    const [readable, others] = [list.filter(isReadable), list.filter((one) => !isReadable(one))];
    return [...readable, ...others].slice(0, whoLimits.proxiesMax);
  });
}

function isReadable(proxy: AskedProxy): boolean {
  return 'port' in wayTo(proxy);
}

/** Reads several at a time; a string: why there is no answer. */
async function readAll(
  proxies: readonly AskedProxy[],
  names: readonly string[],
  read: ReadClusters,
): Promise<ReadonlyMap<AskedProxy, SeenClusters | string>> {
  const found = new Map<AskedProxy, SeenClusters | string>();
  const line = proxies.values();
  const next = async () => {
    for (const proxy of line) found.set(proxy, await readOne(wayTo(proxy), names, read));
  };
  await Promise.all(Array.from({ length: whoLimits.readsMax }, next));
  return found;
}

async function readOne(
  way: Way,
  names: readonly string[],
  read: ReadClusters,
): Promise<SeenClusters | string> {
  if ('why' in way) return way.why;
  try {
    return await read(way, names);
  } catch (reason) {
    return `it does not answer at ${way.address}:${way.port}: ${(reason as Error).message}`;
  }
}
