import type { Clock } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { compareText } from '../../base/text/compare-text.ts';
import { didYouMean } from '../../base/text/suggest.ts';
import type { ConfigHead, ShownResource } from '../../contract/lines/config-lines.ts';
import { pushOrder } from '../../xds/resource-types.ts';
import type { StreamResource, StreamStatus, XdsServer } from '../../xds/xds.ts';
import { scopeOf } from '../streams.ts';

/** What is asked of a node's configuration. */
export interface ConfigQuestion {
  /** Abbreviation of a type, in any case; absent: all. */
  readonly type?: string | undefined;
  /** Of one resource; absent: all. */
  readonly name?: string | undefined;
  /** With the resources themselves. */
  readonly contents?: string | undefined;
}

/** The configuration of a node: what it has been sent and has acknowledged. */
export interface NodeConfig {
  readonly head: ConfigHead;
  /** Made one at a time, so that others are served in between. */
  readonly resources: Iterable<ShownResource>;
}

/** Most resources of one answer. */
const resourcesMax = 20_000;

/**
 * The configuration of a node; undefined: it is not connected. Throws MeshError `not-found` for a type or a
 * name that it does not have, `exhausted` for more resources than are shown.
 */
export function readNodeConfig(
  node: string,
  { type, name, contents }: ConfigQuestion,
  { xds, clock }: { readonly xds: Pick<XdsServer, 'status' | 'resources'>; readonly clock: Clock },
): NodeConfig | undefined {
  const streams = xds.status().filter((stream) => stream.node.id === node);
  const [first] = streams;
  if (first === undefined) return undefined;
  const short = type === undefined ? undefined : typeNamed(type);
  const all = streams.flatMap(({ id }) => xds.resources(id, short));
  const found = name === undefined ? all : all.filter((one) => one.name === name);
  if (name !== undefined && found.length === 0) throw noSuchResource(node, name, short, all);
  if (found.length > resourcesMax)
    throw new MeshError(
      'exhausted',
      `${node} has ${found.length} resources, and at most ${resourcesMax} are shown: choose a type or a name`,
    );
  const now = clock.now();
  return {
    head: headOf(first, streams, found.length, now),
    resources: shown(found, contents !== undefined, now),
  };
}

function* shown(
  found: readonly StreamResource[],
  hasContents: boolean,
  now: number,
): Iterable<ShownResource> {
  for (const one of found) yield shownOf(one, hasContents, now);
}

function headOf(
  first: StreamStatus,
  streams: readonly StreamStatus[],
  resources: number,
  now: number,
): ConfigHead {
  const { role, idc } = scopeOf(first.node);
  return {
    ...{ node: first.node.id ?? '', role, idc, resources },
    streams: streams.map(({ peer, protocol, openedAtMs }) => ({
      ...{ peer: peer.address, protocol, connectedForMs: now - openedAtMs },
    })),
  };
}

function shownOf(one: StreamResource, hasContents: boolean, now: number): ShownResource {
  const { type, name, state, acked, sent, now: current, ackedAtMs, refusal, nearest } = one;
  const content = hasContents ? one.content() : undefined;
  return {
    ...{ type, name, state },
    ...(acked !== undefined && { acked }),
    ...(sent !== undefined && { sent }),
    ...(current !== undefined && { now: current }),
    ...(ackedAtMs !== undefined && { ackedAgoMs: now - ackedAtMs }),
    ...(refusal && {
      refusal: refusal.isCertain
        ? refusal.message
        : `of this or others that were sent with it: ${refusal.message}`,
    }),
    ...(nearest !== undefined && { nearest }),
    ...(content && { content: content as unknown as Readonly<Record<string, unknown>> }),
  };
}

const types: readonly string[] = pushOrder.map(({ short }) => short);

function typeNamed(text: string): string {
  const type = text.toUpperCase();
  if (types.includes(type)) return type;
  throw new MeshError('invalid', `no type is named '${text}': there are ${types.join(', ')}`);
}

/** Names are compared with no more than so many. */
const comparedMax = 2_000;

/** Most names of a message. */
const namedMax = 5;

function noSuchResource(
  node: string,
  name: string,
  type: string | undefined,
  all: readonly StreamResource[],
): MeshError {
  const names = new Set(all.slice(0, comparedMax).map((one) => one.name));
  const what = type === undefined ? 'resource' : `${type} resource`;
  const near = didYouMean(name, names) || knownText(names);
  return new MeshError('not-found', `${node} has no ${what} '${name}'.${near}`);
}

/** The first of these names, for one that resembles none of them. */
function knownText(names: ReadonlySet<string>): string {
  const all = [...names].sort(compareText);
  const more = all.length > namedMax ? ` and ${all.length - namedMax} more` : '';
  return all.length === 0 ? '' : ` It has ${all.slice(0, namedMax).join(', ')}${more}.`;
}
