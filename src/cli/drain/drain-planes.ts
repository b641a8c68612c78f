import { MeshError } from '../../base/error.ts';
import { didYouMean } from '../../base/text/suggest.ts';
import { type Reply, refusalOf } from '../../client/api-client.ts';
import type { InstanceKey, NamedClient } from '../../client/deregistration.ts';
import type { Answer } from '../../contract/contract.ts';
import type { OperationId } from '../../contract/operations.ts';

/** What a control plane says of drains, and of the instances that a text may mean. */
export type DrainList = Answer<'listDrains'>['body'];

/** A control plane that has answered. */
export interface DrainPlane extends NamedClient {
  readonly list: DrainList;
}

/** The control planes that were asked, and what could not be asked. */
export interface DrainPlanes {
  readonly planes: readonly DrainPlane[];
  /** Why others did not answer. */
  readonly missing: readonly string[];
  /** IDCs whose Idcs name no control plane. */
  readonly unnamed: readonly string[];
}

/** Time limit of an answer beyond the wait it includes, in milliseconds: proxies are read for it. */
export const answerMsMax = 10_000;

/**
 * Asks the named control planes, and those of other IDCs that these name, which instances a text means.
 * Throws MeshError `unavailable` if none of the named ones answers.
 */
export async function findDrainPlanes(
  named: readonly NamedClient[],
  find: (name: string) => NamedClient | undefined,
  text: string,
): Promise<DrainPlanes> {
  const first = await Promise.all(named.map((plane) => askList(plane, text)));
  const planes = first.filter((one) => typeof one !== 'string');
  const missing = first.filter((one) => typeof one === 'string');
  if (planes.length === 0) throw new MeshError('unavailable', missing.join('; '));
  const known = new Set(planes.map(({ list }) => list.idc));
  const others = new Map(
    planes
      .flatMap(({ list }) => list.others.filter(({ idc }) => !known.has(idc)))
      .map((one) => [one.idc, one]),
  );
  const clients = [...others.values()]
    .flatMap(({ controlPlanes }) => controlPlanes)
    .flatMap((name) => (named.some((one) => one.name === name) ? [] : (find(name) ?? [])));
  // All at once: one that hangs costs its time once.
  for (const answer of await Promise.all(clients.map((client) => askList(client, text)))) {
    if (typeof answer === 'string') missing.push(answer);
    else planes.push(answer);
  }
  const unnamed = [...others.values()].filter(({ controlPlanes }) => controlPlanes.length === 0);
  return { planes, missing, unnamed: unnamed.map(({ idc }) => idc) };
}

/**
 * What an IDC that nobody could ask leaves open: nothing, unless it is the one of the instance, whose proxies
 * send to it. `isOwn`: it is.
 */
export function unnamedText(idc: string, isOwn: boolean): string {
  const why = `${idc} is not asked, as its Idc names no control plane (spec.controlPlanes)`;
  return isOwn
    ? `${why}: its proxies go on as before, and the instance is theirs. Give --admin of a control plane of ${idc}`
    : `${why}: its proxies send to the instance through gateways alone`;
}

async function askList(plane: NamedClient, instance: string): Promise<DrainPlane | string> {
  try {
    const reply = await plane.client.call('listDrains', { query: { instance }, timeoutMs: answerMsMax });
    return { ...plane, list: acceptedBody(plane.name, reply) };
  } catch (reason) {
    return MeshError.from(reason).message;
  }
}

/**
 * The body of the answer of a control plane. Throws MeshError `conflict` or `unavailable` for a refusal, with
 * its words and its address.
 */
export function acceptedBody<Id extends OperationId>(name: string, reply: Reply<Id>): Answer<Id>['body'] {
  if (!reply.isRefused) return reply.body;
  const words = `the control plane at ${name} refuses: ${refusalOf(reply)}`;
  throw new MeshError(reply.status >= 500 ? 'unavailable' : 'conflict', words);
}

/**
 * The one instance that a text means at these control planes. Throws MeshError `not-found` if there is none,
 * and `invalid` if there are several.
 */
export function theInstance(planes: readonly DrainPlane[], text: string): InstanceKey {
  const keys = [
    ...new Set(
      planes.flatMap(({ list }) =>
        (list.instances ?? []).map(({ namespace, name }) => `${namespace}/${name}`),
      ),
    ),
  ];
  return theOnly(keys, text, () => {
    const idcs = [...new Set(planes.map(({ list }) => list.idc))].join(', ');
    const near = didYouMean(
      text,
      planes.flatMap(({ list }) => list.nearest ?? []),
    );
    return `no instance is '${text}', as the control planes of ${idcs} know them.${near} isthmus who HOST -o wide shows those of a host. An endpoint that is written in a ServiceEntry has no name: make it a WorkloadEntry`;
  });
}

/** The same among drained instances, whether they are declared or not. */
export function theDrained(planes: readonly DrainPlane[], text: string): InstanceKey {
  const all = [
    ...new Set(planes.flatMap(({ list }) => list.items.map(({ namespace, name }) => `${namespace}/${name}`))),
  ];
  const meant = planes.flatMap(({ list }) =>
    (list.instances ?? [])
      .filter(({ isDrained }) => isDrained)
      .map(({ namespace, name }) => `${namespace}/${name}`),
  );
  const named = all.filter((key) => key === text || key.endsWith(`/${text}`));
  return theOnly([...new Set([...named, ...meant])], text, () => {
    const names = all.length === 0 ? ' Nothing is drained.' : didYouMean(text, all);
    return `'${text}' is not drained.${names}`;
  });
}

function theOnly(keys: readonly string[], text: string, none: () => string): InstanceKey {
  const [first, ...more] = keys;
  if (first === undefined) throw new MeshError('not-found', none());
  if (more.length > 0)
    throw new MeshError('invalid', `'${text}' may be ${keys.join(', ')}: give NAMESPACE/NAME`);
  const [namespace = '', name = ''] = first.split('/');
  return { namespace, name };
}
