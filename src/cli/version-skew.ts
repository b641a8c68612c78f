import { compareText } from '../base/text/compare-text.ts';
import type { Answer } from '../contract/contract.ts';
import type { AdminReply } from './ask-each.ts';

type ControlPlaneStatus = Exclude<Answer<'getStatus'>['body'], readonly unknown[]>;

/**
 * The minor version of Envoy that Isthmus is made for, and the oldest that it is tried with (README.md).
 */
export const envoyMinors = { madeFor: '1.40', oldest: '1.36' };

/** A control plane and what it runs. */
interface PlaneVersion {
  readonly admin: string;
  readonly idc: string;
  /** Of Isthmus; undefined: it is too old to say. */
  readonly version: string | undefined;
}

/** A program of connected proxies and clients. */
interface ClientProgram {
  /** Such as `envoy`. */
  readonly name: string;
  readonly version: string;
  readonly idc: string;
  /** Node ids of those that run it, sorted. */
  readonly nodes: readonly string[];
}

/** What runs where. */
export interface Versions {
  readonly planes: readonly PlaneVersion[];
  readonly clients: readonly ClientProgram[];
  /** Where versions do not fit together, in words. */
  readonly skew: readonly string[];
}

/** Versions of control planes and of their clients, compared with `own`, the version of this command. */
export function versionsOf(own: string, replies: readonly AdminReply<ControlPlaneStatus>[]): Versions {
  const heard = replies.flatMap((one) => ('reply' in one ? [{ admin: one.admin, ...one.reply }] : []));
  const planes = heard.map(({ admin, idc, version }) => ({ admin, idc, version }));
  const clients = clientsOf(heard);
  return { planes, clients, skew: [...planeSkew(own, planes), ...envoySkew(clients)] };
}

function clientsOf(statuses: readonly ControlPlaneStatus[]): readonly ClientProgram[] {
  const found = new Map<string, Omit<ClientProgram, 'nodes'> & { readonly nodes: Set<string> }>();
  for (const { proxies } of statuses) {
    for (const { id, idc, client } of proxies) {
      const { name, version } = client ?? { name: 'not told', version: '-' };
      const key = `${idc} ${name} ${version}`;
      const entry = found.get(key) ?? { name, version, idc, nodes: new Set() };
      found.set(key, entry);
      entry.nodes.add(id);
    }
  }
  return [...found]
    .sort(([a], [b]) => compareText(a, b))
    .map(([, entry]) => ({ ...entry, nodes: [...entry.nodes].sort() }));
}

function planeSkew(own: string, planes: readonly PlaneVersion[]): readonly string[] {
  const versions = [...new Set(planes.map(({ version }) => version ?? 'unknown'))].sort();
  if (versions.length === 0) return [];
  if (versions.length > 1) {
    const each = planes.map(({ admin, version }) => `${admin} runs ${version ?? 'an older one'}`);
    return [`the control planes run different versions: ${each.join(', ')}`];
  }
  const [version] = versions;
  return version === own ? [] : [`this command is ${own}, the control planes run ${version}`];
}

/** Envoys of another minor version than Isthmus is made for. */
function envoySkew(clients: readonly ClientProgram[]): readonly string[] {
  const nodes = new Map<string, Set<string>>();
  for (const { name, version, nodes: ids } of clients) {
    const minor = /^(\d+\.\d+)\./.exec(version)?.[1];
    if (name !== 'envoy' || minor === undefined || minor === envoyMinors.madeFor) continue;
    nodes.set(minor, new Set([...(nodes.get(minor) ?? []), ...ids]));
  }
  return [...nodes].map(([minor, ids]) => {
    const who = `${ids.size} ${ids.size === 1 ? 'proxy runs' : 'proxies run'} Envoy ${minor} (${listed([...ids])})`;
    if (rank(minor) < rank(envoyMinors.oldest))
      return `${who}: too old, ${envoyMinors.oldest} is the oldest that is tested`;
    if (rank(minor) > rank(envoyMinors.madeFor))
      return `${who}: newer than ${envoyMinors.madeFor}, which Isthmus is made for`;
    return `${who}: older than ${envoyMinors.madeFor}, which Isthmus is made for; README.md lists what it lacks`;
  });
}

/** A minor version as a number that sorts: 1.40 is 1040. */
function rank(minor: string): number {
  const [major = 0, of = 0] = minor.split('.').map(Number);
  return major * 1_000 + of;
}

/** Most node ids that a line names. */
const namedMax = 5;

function listed(ids: readonly string[]): string {
  return `${ids.slice(0, namedMax).join(', ')}${ids.length > namedMax ? ', …' : ''}`;
}
