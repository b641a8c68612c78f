import { randomUUID } from 'node:crypto';
import type { KubeApi } from '../../test/support/kube/kube-api.ts';

/** How large a mesh is. */
export interface KubeScale {
  readonly services: number;
  readonly instances: number;
  readonly namespaces: number;
}

const time = '2026-11-28T20:00:00Z';
const pad = (n: number, width: number) => String(n).padStart(width, '0');

/** Metadata as the API server keeps it: two fifths of an object are `managedFields`. */
function metadata(
  name: string,
  namespace: string,
  labels: Record<string, string>,
  fields: readonly string[],
) {
  const owned = Object.fromEntries(fields.map((field) => [`f:${field}`, { '.': {}, 'f:value': {} }]));
  return {
    ...{ name, namespace, labels, uid: randomUUID(), generation: 1, creationTimestamp: time },
    managedFields: ['team', 'isthmus-registrar'].map((manager) => ({
      ...{ apiVersion: 'networking.istio.io/v1', fieldsType: 'FieldsV1', operation: 'Apply', time, manager },
      fieldsV1: { 'f:metadata': { 'f:labels': { 'f:app': {} } }, 'f:spec': owned },
    })),
  };
}

/** The objects of a mesh, as they stand in YAML or in etcd. */
export function* meshObjects({ services, instances, namespaces }: KubeScale) {
  const of = (n: number) => ({ ns: `ns-${pad(n % namespaces, 3)}`, app: `svc-${pad(n, 5)}` });
  const apiVersion = 'networking.istio.io/v1';
  for (let n = 0; n < services; n += 1) {
    const { ns, app } = of(n);
    const spec = {
      ...{ hosts: [`${app}.${ns}.mesh`], location: 'MESH_INTERNAL', resolution: 'STATIC' },
      ports: [
        { name: 'http', number: 8080, protocol: 'HTTP' },
        { name: 'grpc', number: 9090, protocol: 'GRPC' },
      ],
      workloadSelector: { labels: { app } },
    };
    const meta = metadata(app, ns, { app, team: `team-${n % 37}` }, [
      'hosts',
      'location',
      'ports',
      'resolution',
    ]);
    yield { apiVersion, kind: 'ServiceEntry', plural: 'serviceentries', metadata: meta, spec };
  }
  for (let n = 0; n < instances; n += 1) {
    const { ns, app } = of(n % services);
    const spec = {
      ...{ address: `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`, labels: { app } },
      ...{ locality: `sh-a/zone-${n % 3}`, ports: { http: 8080, grpc: 9090 }, weight: 100 },
    };
    const name = `${app}-7d9f8b6c5-x${pad(n, 5)}`;
    const meta = metadata(name, ns, { app, version: 'v1' }, [
      'address',
      'labels',
      'locality',
      'ports',
      'weight',
    ]);
    yield { apiVersion, kind: 'WorkloadEntry', plural: 'workloadentries', metadata: meta, spec };
  }
}

/** Writes a mesh straight into etcd, which takes seconds where the API takes minutes. */
export async function fillEtcd(api: KubeApi, scale: KubeScale): Promise<void> {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  let batch: unknown[] = [];
  const flush = async () => {
    if (batch.length > 0) await api.etcd('/v3/kv/txn', { success: batch });
    batch = [];
  };
  for (const { plural, ...object } of meshObjects(scale)) {
    const { namespace, name } = object.metadata;
    const key = `/registry/networking.istio.io/${plural}/${namespace}/${name}`;
    batch.push({ requestPut: { key: base64(key), value: base64(`${JSON.stringify(object)}\n`) } });
    if (batch.length >= 120) await flush();
  }
  await flush();
}
