import { yieldToEventLoop } from '../../base/yield-to-event-loop.ts';
import type { EgressView, NetworkReport } from '../../contract/network.ts';
import type { HostReason } from '../../contract/who.ts';
import type { Idc } from '../../model/idc.ts';
import { type ListenAddress, showAddress } from '../../model/values/listen-address.ts';
import { peersOf } from '../../plan/gateways.ts';
import type { GroupPlan } from '../../plan/types.ts';
import { awayCluster } from '../../translate/names.ts';
import { chooseProxies, readAll } from '../read-proxies.ts';
import type { AskedProxy, SeenClusters, SeenHost } from '../types.ts';
import type { WhoOptions } from '../who-options.ts';

/** Answers which addresses there are, and which gateways of other IDCs answer. */
export interface NetworkReader {
  /** Reads egress gateways and probes gateways of other IDCs. The answer may be 5 s old. */
  network(): Promise<Omit<NetworkReport, 'xds'>>;
}

/** What the answer needs to know. */
type NetworkOptions = Pick<WhoOptions, 'idc' | 'clock' | 'view' | 'plansOf' | 'proxies' | 'read' | 'probe'>;

/** What an answer may cost: proxies read, Groups read for each IDC, hosts looked through, gateways probed. */
const networkLimits = { egressMax: 8, groupsMax: 10, hostsMax: 1_000, gatewaysMax: 64, ageMsMax: 5_000 };

/** Hosts that are looked through before others are served. */
const hostsAtOnce = 50;

/** A gateway of another IDC. */
interface Peer extends ListenAddress {
  readonly idc: string;
}

/** Creates a reader: questions within 5 s share one reading, and nothing is done while nobody asks. */
export function createNetworkReader(options: NetworkOptions): NetworkReader {
  let last: { readonly at: number; readonly answer: ReturnType<NetworkReader['network']> } | undefined;
  return {
    network() {
      const now = options.clock.now();
      if (last === undefined || now - last.at >= networkLimits.ageMsMax)
        last = { at: now, answer: readNetwork(options) };
      return last.answer;
    },
  };
}

async function readNetwork(options: NetworkOptions): ReturnType<NetworkReader['network']> {
  const { clock, idc } = options;
  const at = new Date(clock.wall()).toISOString();
  const idcs = [...options.view().idcs.values()];
  const peers = idcs
    .filter(({ meta }) => meta.name !== idc)
    .flatMap((other) => peersOf(other).map((one): Peer => ({ ...one, idc: other.meta.name })))
    .slice(0, networkLimits.gatewaysMax);
  const plans = await choosePlans(options, [...new Set(peers.map((one) => one.idc))]);
  const gateways = [...options.proxies()].filter(({ role }) => role === 'egress');
  const chosen = chooseProxies(gateways, () => networkLimits.egressMax);
  const names = plans.map(awayCluster);
  const [seen, probes] = await Promise.all([
    names.length === 0 ? new Map<AskedProxy, SeenClusters | string>() : readAll(chosen, names, options.read),
    Promise.all(peers.map((one) => options.probe(one))),
  ]);
  const readings = [...seen].flatMap(([proxy, found]) =>
    typeof found === 'string' ? [] : [{ node: proxy.node, clusters: found }],
  );
  return {
    ...{ idc, at, idcs: idcs.map(describeIdc) },
    peers: peers.map((peer, i) => ({
      ...{ idc: peer.idc, address: showAddress(peer), probe: probes[i] ?? 'refused' },
      egress: readings.map(({ node, clusters }) => viewOf(peer, node, clusters, plans)),
    })),
    readAt: readings.map(({ node }) => node).sort(),
    silent: [...seen].flatMap(([{ node, role }, found]) =>
      typeof found === 'string' ? [{ node, role, why: found }] : [],
    ),
  };
}

/** Groups that may cross, some for each of these IDCs: those first whose gateways are checked. */
async function choosePlans(options: NetworkOptions, idcs: readonly string[]): Promise<readonly GroupPlan[]> {
  const found = new Map(idcs.map((idc) => [idc, { checked: [] as GroupPlan[], others: [] as GroupPlan[] }]));
  const isEnough = () =>
    [...found.values()].every(({ checked }) => checked.length >= networkLimits.groupsMax);
  const hosts = [...options.view().groups.keys()].slice(0, networkLimits.hostsMax);
  for (const [index, host] of hosts.entries()) {
    if (isEnough()) break;
    if (index % hostsAtOnce === 0) await yieldToEventLoop();
    for (const plan of options.plansOf(host))
      for (const { idc } of plan.crossing?.idcs ?? []) {
        const known = found.get(idc);
        (plan.crossing?.check === undefined ? known?.others : known?.checked)?.push(plan);
      }
  }
  const some = [...found.values()].flatMap(({ checked, others }) =>
    [...checked, ...others].slice(0, networkLimits.groupsMax),
  );
  return [...new Map(some.map((plan) => [awayCluster(plan), plan])).values()];
}

/** What one egress gateway sees of a gateway, over all Groups that were read. */
function viewOf(peer: Peer, node: string, clusters: SeenClusters, plans: readonly GroupPlan[]): EgressView {
  const address = showAddress(peer);
  const hosts = plans.flatMap((plan) =>
    (clusters.get(awayCluster(plan)) ?? [])
      .filter((host) => host.address === address)
      .map((host) => ({ host, isChecked: plan.crossing?.check !== undefined })),
  );
  const each = hosts.map(({ host, isChecked }) => judgeHost(host, isChecked));
  // Checks of a Group go through the gateway to its instances: one that passes is enough.
  const sees = (['reached', 'failing'] as const).find((one) => each.includes(one)) ?? 'unknown';
  const why = sees === 'reached' ? [] : [...new Set(hosts.flatMap(({ host }) => host.why))].sort();
  return { node, sees, why, groups: hosts.length };
}

/** `told-unhealthy` may be of long ago: the gateway may have stopped to answer since. */
const unusable: readonly HostReason[] = ['check-failed', 'check-timeout', 'told-unhealthy', 'ejected'];

function judgeHost({ why }: SeenHost, isChecked: boolean): EgressView['sees'] {
  if (why.some((reason) => unusable.includes(reason))) return 'failing';
  return isChecked && !why.includes('not-checked') ? 'reached' : 'unknown';
}

function describeIdc({ meta, spec }: Idc): NetworkReport['idcs'][number] {
  const of = (address: string, ...ports: readonly number[]) =>
    ports.map((port) => showAddress({ address, port }));
  return {
    ...{ idc: meta.name, controlPlanes: [...(spec.controlPlanes ?? [])] },
    gateways: [
      ...spec.ingress.map(({ address, edgePort, peerPort }) => ({
        role: 'ingress' as const,
        addresses: of(address, edgePort, peerPort),
      })),
      ...spec.egress.map(({ address, sidecarPort, ingressPort }) => ({
        role: 'egress' as const,
        addresses: of(address, sidecarPort, ingressPort),
      })),
    ],
  };
}
