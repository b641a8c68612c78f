import { systemClock } from '../../base/clock.ts';
import { readAddress } from '../../config/address.ts';
import { probeTarget } from '../../delivery/reach/probe-target.ts';
import { isLoopback } from '../../model/values/address.ts';
import { durationText } from '../../model/values/duration.ts';
import { type ListenAddress, showAddress } from '../../model/values/listen-address.ts';
import type { AdminReply } from '../ask-each.ts';
import { type IdcReplies, notAskedText } from '../ask-idcs.ts';
import type { AskedPlane } from './asked-plane.ts';
import type { Found } from './check-line.ts';

/** How long a connection may take to open, and its answer to come, in milliseconds. */
const probeTimes = { connectMs: 2_000, answerMs: 1_000 } as const;

/** Connections that are opened at once. */
const atOnce = 32;

/** An address that is declared somewhere. */
interface Declared {
  readonly at: ListenAddress;
  readonly what: string;
  /** Whether its process answers the preface of HTTP/2; else an open connection is enough. */
  readonly isHttp2: boolean;
  /** The control plane that told it. */
  readonly by: ListenAddress;
  /** Of a gateway: node ids of connected proxies that listen there; `not asked`: its control plane. */
  readonly nodes?: readonly string[] | 'not asked';
  readonly todo: string;
}

/** Addresses of control planes, and all that their Idcs declare: whether they answer this machine. */
export async function checkAddresses({ told, unknown }: IdcReplies<AskedPlane>): Promise<readonly Found[]> {
  const planes = told.flatMap((one) => ('reply' in one ? [one.reply] : []));
  const declared = new Map<string, Declared>();
  for (const one of planes.flatMap((plane) => declaredBy(plane, planes)))
    if (!declared.has(one.what)) declared.set(one.what, one);
  const asked = new Set(told.map(({ admin }) => admin));
  const others = [...declared.values()].filter(({ at }) => !asked.has(showAddress(at)));
  return [
    ...told.map(describeAdmin),
    ...unknown.map(
      (idc): Found => ({
        ...{
          result: 'not seen',
          what: `control planes of ${idc}`,
          tried: 'its Idc',
          found: 'not known where they are',
        },
        todo: notAskedText(idc),
      }),
    ),
    ...planes
      .filter(({ network }) => network === undefined)
      .map(
        ({ where }): Found => ({
          ...{
            result: 'not seen',
            what: `addresses that ${showAddress(where)} knows`,
            tried: 'GET /v1/network',
          },
          found: 'it does not say: its version is too old, or it did not answer in time',
        }),
      ),
    ...disagreements(planes),
    ...(await probeAll(others)),
  ];
}

function describeAdmin(one: AdminReply<AskedPlane>): Found {
  const common = { what: `${one.admin}, control plane`, tried: 'GET /status' };
  if ('reply' in one) {
    const found = `the control plane of ${one.reply.idc} answers in ${durationText(one.reply.tookMs)}`;
    return { ...common, result: 'ok', found };
  }
  const todo =
    'start it, correct --admin or spec.controlPlanes of its Idc, or open the port from this machine';
  return { ...common, result: 'fail', found: one.error.message, todo };
}

/** All addresses that a control plane declares, its own for proxies among them. */
function declaredBy(plane: AskedPlane, planes: readonly AskedPlane[]): readonly Declared[] {
  const { network, where, idc } = plane;
  if (network === undefined) return [];
  const xds = readAddress(network.xds);
  const at = isUnspecified(xds.address) ? { ...xds, address: where.address } : xds;
  const own: Declared = {
    ...{ at, isHttp2: true, by: where, what: `${showAddress(at)}, --xds of the control plane of ${idc}` },
    todo: 'open the port for the proxies of the IDC',
  };
  const asked = new Set(planes.map((one) => one.idc));
  return [
    own,
    ...network.idcs.flatMap((other) => [
      ...other.controlPlanes.map(
        (text): Declared => ({
          ...{
            at: readAddress(text),
            isHttp2: false,
            by: where,
            what: `${text}, control plane of ${other.idc}`,
          },
          todo: `start it, or correct spec.controlPlanes of Idc ${other.idc}`,
        }),
      ),
      ...other.gateways.flatMap(({ role, addresses }) =>
        addresses.map(
          (text, i): Declared => ({
            ...{ at: readAddress(text), by: where, what: `${text}, ${portOf(role, i)} of ${other.idc}` },
            // The edge may expect a PROXY protocol header first.
            isHttp2: role === 'egress' || i > 0,
            nodes: asked.has(other.idc) ? nodesAt(planes, other.idc, addresses) : 'not asked',
            todo: `start the gateway, or correct spec.${role} of Idc ${other.idc}`,
          }),
        ),
      ),
    ]),
  ];
}

function portOf(role: 'ingress' | 'egress', index: number): string {
  if (role === 'ingress') return index === 0 ? 'edgePort of an ingress' : 'peerPort of an ingress';
  return index === 0 ? 'sidecarPort of an egress' : 'ingressPort of an egress';
}

/** Connected proxies that listen at these addresses, as the control planes of their IDC say. */
function nodesAt(
  planes: readonly AskedPlane[],
  idc: string,
  addresses: readonly string[],
): readonly string[] {
  const gateways = planes.filter((one) => one.idc === idc).flatMap((one) => one.gateways);
  return gateways.filter((one) => one.addresses.join() === addresses.join()).flatMap(({ nodes }) => nodes);
}

async function probeAll(all: readonly Declared[]): Promise<readonly Found[]> {
  const found = new Map<Declared, Found>();
  const line = all.values();
  const next = async () => {
    for (const one of line) found.set(one, await probeOne(one));
  };
  await Promise.all(Array.from({ length: atOnce }, next));
  return all.flatMap((one) => found.get(one) ?? []);
}

async function probeOne({ at, what, isHttp2, by, nodes, todo }: Declared): Promise<Found> {
  const tried = isHttp2 ? 'HTTP/2 preface from this machine' : 'connection from this machine';
  if (isLoopback(at.address) && !isLoopback(by.address))
    return { what, tried: 'nothing', result: 'not seen', found: 'a loopback address of another machine' };
  const began = systemClock.now();
  const target = isHttp2 ? { ...at, request: { kind: 'http2' } as const } : at;
  const result = await probeTarget(target, probeTimes, systemClock);
  const tookMs = systemClock.now() - began;
  if (result === 'answers')
    return {
      what,
      tried,
      result: 'ok',
      found: `${isHttp2 ? 'answers' : 'accepts'} in ${durationText(tookMs)}`,
    };
  const words =
    result === 'silent' ? 'accepts the connection and answers nothing' : 'no connection can be opened';
  if (result === 'refused' && Array.isArray(nodes) && nodes.length > 0) {
    const found = `${words}, though ${nodes.join(', ')} is connected and listens there`;
    return {
      what,
      tried,
      result: 'warn',
      found,
      todo: 'look for a firewall; this machine need not get through',
    };
  }
  if (nodes === 'not asked') {
    const found = `${words}; the control plane of that IDC was not asked`;
    return { what, tried, result: 'warn', found, todo: `ask it, too: --all-idcs; ${todo}` };
  }
  return { what, tried, result: 'fail', found: words, todo };
}

/** IDCs of which control planes declare different gateways. */
function disagreements(planes: readonly AskedPlane[]): readonly Found[] {
  const all = planes.flatMap(({ where, network }) =>
    (network?.idcs ?? []).map(({ idc, gateways }) => ({
      idc,
      admin: showAddress(where),
      text: JSON.stringify(gateways),
    })),
  );
  return [...Map.groupBy(all, ({ idc }) => idc)].flatMap(([idc, told]) => {
    const [first, ...others] = told;
    const other = others.find(({ text }) => text !== first?.text);
    if (first === undefined || other === undefined) return [];
    return [
      {
        ...{ result: 'warn', what: `Idc ${idc}`, tried: 'GET /v1/network' },
        found: `${first.admin} and ${other.admin} declare different gateways for it`,
        todo: 'give all registries the same Idc',
      } as const,
    ];
  });
}

function isUnspecified(address: string): boolean {
  return /^(?:0\.0\.0\.0|[0:]+)$/.test(address);
}
