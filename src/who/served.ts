import { compareText } from '../base/text/compare-text.ts';
import { yieldToEventLoop } from '../base/yield-to-event-loop.ts';
import type { GroupReport, HostReport, ServedReport } from '../contract/who.ts';
import type { NodeRole } from '../model/node.ts';
import type { GroupPlan } from '../plan/types.ts';
import { awayCluster, egressCluster, instancesCluster } from '../translate/names.ts';
import { isPlanOf, seesPlan } from './declared.ts';
import { describeGroup } from './describe.ts';
import { type Exits, findLostExits, lostWords } from './gateways/exits.ts';
import { chooseProxies, readAll } from './read-proxies.ts';
import type { AskedProxy, ProxyReading, SeenClusters } from './types.ts';
import type { WhoOptions } from './who-options.ts';

/** What an answer may cost: hosts, hosts of one request to a proxy, and proxies by role. */
const servedLimits = {
  hostsMax: 1_000,
  hostsAtOnce: 50,
  proxiesMax: { ingress: 2, egress: 2, sidecar: 4, grpc: 0 } satisfies Record<NodeRole, number>,
  /** How old an answer may be, in milliseconds. */
  ageMsMax: 5_000,
} as const;

type ServedOptions = Omit<WhoOptions, 'readStats'>;

/** Creates `WhoReader.served`: questions within 5 s share one reading. */
export function createServedReader(options: ServedOptions): () => Promise<ServedReport> {
  let last: { readonly at: number; readonly answer: Promise<ServedReport> } | undefined;
  return () => {
    const now = options.clock.now();
    if (last === undefined || now - last.at >= servedLimits.ageMsMax)
      last = { at: now, answer: readServed(options) };
    return last.answer;
  };
}

async function readServed(options: ServedOptions): Promise<ServedReport> {
  const { clock, idc } = options;
  const at = new Date(clock.wall()).toISOString();
  const all = [...options.view().groups.keys()].sort(compareText);
  const hosts = all.slice(0, servedLimits.hostsMax);
  const proxies = chooseProxies([...options.proxies()], (role) => servedLimits.proxiesMax[role]);
  const seen = new Map<AskedProxy, SeenClusters>();
  const silent = new Map<AskedProxy, string>();
  /** Envoys before 1.40, which send all clusters, whatever is asked: one answer has everything. */
  const whole = new Set<AskedProxy>();
  const plans: GroupPlan[] = [];
  for (let next = 0; next < hosts.length; next += servedLimits.hostsAtOnce) {
    await yieldToEventLoop();
    const some = hosts.slice(next, next + servedLimits.hostsAtOnce).flatMap((host) => options.plansOf(host));
    plans.push(...some);
    const names = some.flatMap((plan) => [instancesCluster(plan.group), awayCluster(plan)]);
    const asked = new Set([...names, egressCluster]);
    const answers = await readAll(
      proxies.filter((proxy) => !silent.has(proxy) && !whole.has(proxy)),
      [...asked],
      options.read,
    );
    for (const [proxy, answer] of answers) {
      if (typeof answer === 'string') silent.set(proxy, answer);
      else seen.set(proxy, new Map([...(seen.get(proxy) ?? []), ...answer]));
      if (typeof answer !== 'string' && [...answer.keys()].some((name) => !asked.has(name))) whole.add(proxy);
    }
  }
  const readings = [...seen]
    .filter(([proxy]) => !silent.has(proxy))
    .map(([proxy, clusters]): ProxyReading => ({ proxy, before: clusters, after: clusters }));
  const leaving = await findLostExits(
    options,
    readings.map(({ proxy }) => proxy),
  );
  const judged = await judgeAll(options, plans, readings, leaving);
  return {
    ...{ idc, at, groups: plans.length, notLookedAt: all.length - hosts.length, ...judged },
    readAt: readings.map(({ proxy }) => proxy.node).sort(),
    silent: [...silent].map(([{ node, role }, why]) => ({ node, role, why })),
  };
}

/** What the readings say of each plan. */
async function judgeAll(
  options: ServedOptions,
  plans: readonly GroupPlan[],
  readings: readonly ProxyReading[],
  leaving: Exits,
): Promise<Pick<ServedReport, 'unknown' | 'notHere' | 'alone'>> {
  const { idc } = options;
  const notHere: ServedReport['notHere'][number][] = [];
  const alone: ServedReport['alone'][number][] = [];
  let unknown = 0;
  for (const [index, plan] of plans.entries()) {
    if (index % servedLimits.hostsAtOnce === 0) await yieldToEventLoop();
    const { host, port } = plan.group;
    const group = options.view().groups.get(host);
    const view = [group, ...(group?.others ?? [])].find((one) => isPlanOf(one, plan));
    if (view === undefined) continue;
    const report = describeGroup(
      { plan, view, idc, evacuations: [], drains: new Map(), returningPercent: undefined, leaving },
      readings.filter(({ proxy }) => seesPlan(proxy, plan)),
    );
    const { served, by, instances } = report;
    const why = leaving.isCutOff && plan.crossing !== undefined ? { why: cutOffWords(idc, leaving) } : {};
    if (served === 'unknown') unknown += 1;
    if (isAlone(report, leaving)) alone.push({ host, namespace: plan.namespace, port, ...why });
    if (served === 'unknown' || served === 'here') continue;
    // A host without instances that does not leave the IDC, such as one that is looked up by request.
    if (instances.length === 0 && plan.crossing === undefined) continue;
    const usable = instances.filter(({ usableAt }) => usableAt > 0).length;
    notHere.push({
      ...{ host, namespace: plan.namespace, port, served, ...(by === undefined ? {} : { by }) },
      ...{ instances: instances.length, usable },
      ...why,
    });
  }
  return { unknown, notHere, alone };
}

/**
 * Whether the IDC serves a Group that may leave it, and no other one could. What is not known counts as able:
 * no egress gateway was read, or some ingress gateway has not been checked yet.
 */
function isAlone({ served, takesOver, next }: GroupReport, { isCutOff }: Exits): boolean {
  if (served !== 'here' || takesOver !== undefined || next.length === 0) return false;
  return isCutOff || next.every(({ usable, gateways }) => usable === 'no' && !gateways.some(isUnchecked));
}

function isUnchecked({ why }: HostReport): boolean {
  return why.some(({ reason }) => reason === 'not-checked');
}

function cutOffWords(idc: string, { lost }: Exits): string {
  const names = lost.length === 0 ? '' : ` (${lostWords(lost)})`;
  return `no egress gateway of ${idc} answers${names}`;
}
