import type { KubeApi } from './kube-api.ts';

/** What a Pod of a test says besides its name. */
export interface PodWishes {
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly node?: string;
  readonly spec?: Readonly<Record<string, unknown>>;
}

const pods = (namespace: string) => `/api/v1/namespaces/${namespace}/pods`;

/** Adds a Pod of the Group `checkout`, which runs nowhere; returns its UID. */
export async function addPod(api: KubeApi, name: string, wishes: PodWishes = {}): Promise<string> {
  const { namespace = 'shop', labels = {}, annotations = {}, node = 'node-1', spec = {} } = wishes;
  const pod = (await api.must('POST', pods(namespace), {
    metadata: { name, labels: { 'isthmus.dev/group': 'checkout', ...labels }, annotations },
    spec: { nodeName: node, containers: [{ name: 'app', image: 'app' }], ...spec },
  })) as { metadata: { uid: string } };
  return pod.metadata.uid;
}

/** Says of a Pod what a kubelet would. `address` '': it has none yet. */
export async function setPod(
  api: KubeApi,
  name: string,
  address: string,
  isReady: boolean,
  { namespace = 'shop', more = {} }: { namespace?: string; more?: Readonly<Record<string, string>> } = {},
): Promise<void> {
  const status = isReady ? 'True' : 'False';
  const conditions = Object.entries({ Ready: status, ContainersReady: status, ...more }).map(
    ([type, status]) => ({ type, status, lastTransitionTime: '2026-01-01T00:00:00Z' }),
  );
  const startTime = new Date().toISOString().replace(/\.\d+/, '');
  const ips = address === '' ? {} : { podIP: address, podIPs: [{ ip: address }] };
  await api.must('PATCH', `${pods(namespace)}/${name}/status`, {
    status: { phase: 'Running', startTime, ...ips, conditions },
  });
}

/** Adds a Pod that is ready; returns its UID. */
export async function addReadyPod(
  api: KubeApi,
  name: string,
  address: string,
  wishes: PodWishes = {},
): Promise<string> {
  const uid = await addPod(api, name, wishes);
  const { namespace } = wishes;
  await setPod(api, name, address, true, namespace === undefined ? {} : { namespace });
  return uid;
}

/** Deletes a Pod at once, as a kubelet does in the end. */
export async function removePod(api: KubeApi, name: string, namespace = 'shop'): Promise<void> {
  await api.must('DELETE', `${pods(namespace)}/${name}?gracePeriodSeconds=0`);
}

/** A WorkloadEntry, as far as tests read it. */
export interface Entry {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly generation: number;
    readonly resourceVersion: string;
    readonly deletionTimestamp?: string;
    readonly annotations: Readonly<Record<string, string>>;
    readonly labels: Readonly<Record<string, string>>;
    readonly finalizers?: readonly string[];
    readonly managedFields: readonly { readonly manager: string }[];
  };
  readonly spec: {
    readonly address: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly [key: string]: unknown;
  };
}

const entries = '/apis/networking.istio.io/v1/namespaces/shop/workloadentries';

/** The entries of the namespace `shop`. */
export async function entriesOf(api: KubeApi): Promise<readonly Entry[]> {
  return ((await api.must('GET', entries)) as { items: Entry[] }).items;
}

/** The addresses of entries that are not being deleted, in order. */
export async function addressesOf(api: KubeApi): Promise<readonly string[]> {
  const live = (await entriesOf(api)).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  return live.map(({ spec }) => spec.address).sort();
}

/** Takes the finalizers off deleted entries, as control planes of the Primary do. */
export async function releaseAll(api: KubeApi): Promise<void> {
  for (const { metadata } of await entriesOf(api))
    if (metadata.deletionTimestamp !== undefined)
      await api.must('PATCH', `${entries}/${metadata.name}`, { metadata: { finalizers: null } }, [404]);
}
