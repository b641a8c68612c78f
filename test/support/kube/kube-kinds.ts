import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import yaml from 'js-yaml';
import { followedKinds } from '../../../src/registry/kubernetes/followed-kinds.ts';
import type { RawObject } from '../../registry/objects.ts';
import type { KubeApi } from './kube-api.ts';

// Definitions that let everything through: what Istio's and ours refuse by their schemas, others may not.

const anything = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
const clusterKinds = ['Idc', 'DrGroup', 'Evacuation'];

type Followed = (typeof followedKinds)[number];

function definition({ kind, group, versions, plural }: Followed, served: readonly string[]) {
  const properties = { spec: anything, status: anything };
  return {
    ...{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' },
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: clusterKinds.includes(kind) ? 'Cluster' : 'Namespaced',
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: versions
        .filter((version) => served.includes(version))
        .map((name, at) => ({
          ...{ name, served: true, storage: at === 0, subresources: { status: {} } },
          schema: { openAPIV3Schema: { type: 'object', properties } },
        })),
    },
  };
}

/** The row of a kind. */
export function followed(kind: string): Followed {
  const found = followedKinds.find((one) => one.kind === kind);
  if (found === undefined) throw new Error(`no kind ${kind}`);
  return found;
}

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

/** Adds the definitions of kinds; resolves once objects of them can be listed. */
export async function defineKinds(
  api: KubeApi,
  kinds: readonly string[] = followedKinds.map(({ kind }) => kind),
  served: readonly string[] = ['v1', 'v1alpha1'],
): Promise<void> {
  for (const kind of kinds) await api.must('POST', definitions, definition(followed(kind), served), [409]);
  for (const kind of kinds) {
    while ((await api.call('GET', collectionOf(kind, undefined, served))).status !== 200) await sleep(20);
  }
}

/** Adds our own definitions as they are shipped, with Istio's as `defineKinds` has them. */
export async function defineShippedKinds(api: KubeApi): Promise<void> {
  for (const kind of clusterKinds) {
    const file = new URL(`../../../deploy/crds/isthmus.dev_${followed(kind).plural}.yaml`, import.meta.url);
    await api.must('POST', definitions, yaml.load(readFileSync(file, 'utf8')));
  }
  await defineKinds(api);
}

/** Deletes the definition of a kind, with all its objects; resolves once it is gone. */
export async function undefineKind(api: KubeApi, kind: string): Promise<void> {
  const { plural, group } = followed(kind);
  const path = `${definitions}/${plural}.${group}`;
  await api.must('DELETE', path);
  while ((await api.call('GET', path)).status !== 404) await sleep(20);
}

/** The path of the objects of a kind. */
export function collectionOf(kind: string, namespace?: string, served?: readonly string[]): string {
  const { group, versions, plural } = followed(kind);
  const version = versions.find((one) => served?.includes(one) ?? true);
  const within = namespace === undefined ? '' : `namespaces/${namespace}/`;
  return `/apis/${group}/${version}/${within}${plural}`;
}

/** The path of an object. */
export function pathOf({ kind, metadata: { namespace, name } }: RawObject): string {
  return `${collectionOf(kind, namespace)}/${name}`;
}

/** Adds an object, or replaces it; its status stays. */
export async function putObject(api: KubeApi, object: RawObject): Promise<void> {
  const path = pathOf(object);
  const old = await api.call('GET', path);
  if (old.status === 404) {
    await api.must('POST', collectionOf(object.kind, object.metadata.namespace), object);
    return;
  }
  const { metadata } = old.body as { metadata: { resourceVersion: string } };
  const { resourceVersion } = metadata;
  await api.must('PUT', path, { ...object, metadata: { ...object.metadata, resourceVersion } });
}

/** Removes all objects of all kinds. */
export async function removeAll(api: KubeApi): Promise<void> {
  for (const { kind } of followedKinds) {
    await api.must(
      'DELETE',
      collectionOf(kind, clusterKinds.includes(kind) ? undefined : 'shop'),
      undefined,
      [404],
    );
  }
}
