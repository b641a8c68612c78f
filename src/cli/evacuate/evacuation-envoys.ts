import { MeshError } from '../../base/error.ts';
import { didYouMean } from '../../base/text/suggest.ts';
import { proxiesAt } from '../../client/evacuation-planes.ts';
import { type ListenAddress, showAddress } from '../../model/values/listen-address.ts';
import { envoyMsMax } from '../envoys/fleet-watch.ts';
import { countsText } from '../envoys/proxy-counts.ts';
import { identifyProxy, type ReadProxy, readProxy } from '../envoys/proxy-reader.ts';
import { type AbortExpression, conditionsOf } from '../options/abort-on.ts';
import { type EvacuationTarget, listSome } from './evacuation-steps.ts';

/** The Envoys to read during an evacuation. */
interface EnvoysNamed extends Pick<EvacuationTarget, 'planes' | 'idc' | 'say'> {
  /** Admin interfaces. */
  readonly envoys: readonly ListenAddress[];
  readonly abortOn: AbortExpression;
  /** Continues without those that cannot be read. */
  readonly force: boolean;
}

/** Most Groups of an Envoy listed with requests in flight. */
const underWayMax = 10;

/**
 * The Envoys to read, with their identities. Undefined, and reported, if one does not answer or is of no IDC
 * of this mesh, or if none counts requests of the IDC's users: a guard without readings does not guard. With
 * `force` the rest is used.
 */
export async function findEnvoys(named: EnvoysNamed): Promise<readonly ReadProxy[] | undefined> {
  const { envoys, idc, say, force } = named;
  if (envoys.length === 0) return [];
  const asked = await Promise.allSettled(envoys.map((envoy) => identifyProxy(envoy, envoyMsMax)));
  const found = asked.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
  const strange = envoysOfOthers(named, found);
  const proxies = found.filter((proxy) => !strange.has(proxy));
  const faults = [
    ...asked.flatMap((one) => (one.status === 'rejected' ? MeshError.from(one.reason).message : [])),
    ...strange.values(),
  ];
  for (const words of faults) say(`not read: ${words}`);
  if (proxies.length > 0) await reportEnvoysRead({ ...named, proxies });
  const isBlind = !proxies.some((proxy) => countsUsersOf(proxy, idc));
  if (isBlind) say(`no sidecar or ingress gateway of ${idc} is read: the effect on its users is not seen`);
  if (faults.length === 0 && !isBlind) return proxies;
  if (!force) say('nothing was done: correct --envoy, or continue without these readings with --force');
  return force ? proxies : undefined;
}

/** Whether an Envoy counts requests of an IDC's users: its workloads, and its clients at the edge. */
function countsUsersOf({ idc, role }: ReadProxy, home: string): boolean {
  return idc === home && role !== 'egress';
}

/** Errors of Envoys in IDCs unknown to the control planes, for example of another mesh. */
export function envoysOfOthers(
  { planes }: Pick<EvacuationTarget, 'planes'>,
  proxies: readonly ReadProxy[],
): ReadonlyMap<ReadProxy, string> {
  const known = [...new Set(planes.flatMap(({ idcs }) => idcs))].sort();
  const strange = proxies.filter(({ idc }) => !known.includes(idc));
  return new Map(
    strange.map((proxy) => {
      const { admin, id, role, idc } = proxy;
      const words = `the Envoy at ${showAddress(admin)} is ${id} (${role}) of ${idc}, and the control planes know ${known.join(', ')}: it is of another mesh.${didYouMean(idc, known)}`;
      return [proxy, words];
    }),
  );
}

/** Reports what is read, and what is not. */
export async function reportEnvoysRead({
  planes,
  proxies,
  idc,
  abortOn,
  say,
}: Pick<EnvoysNamed, 'planes' | 'idc' | 'say' | 'abortOn'> & {
  readonly proxies: readonly ReadProxy[];
}): Promise<void> {
  say(`read: ${proxies.map(({ id, role, idc: of }) => `${id} (${role}, ${of})`).join(', ')}`);
  const home = planes.filter((plane) => plane.idc === idc);
  const known = (await Promise.all(home.map(proxiesAt))).flat();
  const read = new Set(proxies.map(({ id }) => id));
  const others = [...new Set(known.filter(({ role }) => role !== 'egress').map(({ id }) => id))];
  const unread = others.filter((id) => !read.has(id));
  if (unread.length > 0)
    say(
      `  not read: ${unread.length === 1 ? 'another sidecar or ingress gateway' : `${unread.length} other sidecars and ingress gateways`} of ${idc}: ${listSome(unread)}`,
    );
  const what = new Set(conditionsOf(abortOn).map((condition) => condition.measure));
  const sees = (role: string) => proxies.some((proxy) => proxy.role === role);
  if (what.has('no-idc') && !sees('egress')) say('  no-idc is not seen: none of them is an egress gateway');
  if (what.has('spill-limit') && !proxies.some((one) => one.role === 'ingress' && one.idc !== idc))
    say('  spill-limit is not seen: none of them is an ingress gateway of another IDC');
}

/** Reports each one's counts since the start. */
export async function reportCounts({ say }: Pick<EnvoysNamed, 'say'>, proxies: readonly ReadProxy[]) {
  for (const { admin, id } of proxies) {
    const words = await readProxy(admin, envoyMsMax).then(
      countsText,
      (reason) => MeshError.from(reason).message,
    );
    say(`  ${id}, since it began: ${words}`);
  }
}

/** Reports requests and connections in flight to local instances: nothing ends them. */
export async function reportUnderWay(
  { idc, say }: Pick<EnvoysNamed, 'idc' | 'say'>,
  proxies: readonly ReadProxy[],
): Promise<void> {
  for (const { admin } of proxies.filter((proxy) => countsUsersOf(proxy, idc))) {
    try {
      const { underWay } = await readProxy(admin, envoyMsMax);
      const where = `  ${showAddress(admin)}`;
      if (underWay.length === 0) say(`${where}: nothing is in flight to instances of ${idc}`);
      else say(`${where}: in flight to instances of ${idc}, until it ends:`);
      for (const { group, requests, connections } of underWay.slice(0, underWayMax))
        say(`    ${group}: ${requests} requests or streams; connections, idle ones too: ${connections}`);
      if (underWay.length > underWayMax) say(`    and ${underWay.length - underWayMax} more Groups`);
    } catch (reason) {
      say(`  ${MeshError.from(reason).message}`);
    }
  }
  const asked = proxies.length === 0 ? 'no Envoy was read (--envoy)' : 'other Envoys were not read';
  say(`  ${asked}: which of their requests and connections stay is unknown`);
}
