// Conditions of very many objects at once: `node bench/kube-status.ts [--objects N]`.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { systemClock as clock } from '../src/base/clock.ts';
import { systemRandom } from '../src/base/random.ts';
import { readKubeconfig } from '../src/kube/config/kubeconfig.ts';
import { createKubernetesSource } from '../src/registry/kubernetes/kubernetes-source.ts';
import { idc, workload } from '../test/registry/objects.ts';
import { Recorder } from '../test/registry/recorder.ts';
import { KubeApi, kubeTools } from '../test/support/kube/kube-api.ts';
import { collectionOf, defineShippedKinds, putObject } from '../test/support/kube/kube-kinds.ts';
import { conclude } from './support/conclude.ts';
import { atMost, figure, table } from './support/table.ts';

const { values } = parseArgs({ options: { objects: { type: 'string', default: '10000' } } });
const count = Number(values.objects);

/** Interval of somebody else's requests, in milliseconds. */
const everyMs = 50;

/** Writes DrGroups straight into etcd, which takes seconds where the API takes minutes. */
async function fill(api: KubeApi): Promise<void> {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  for (let from = 0; from < count; from += 100) {
    const success = Array.from({ length: Math.min(100, count - from) }, (_, next) => {
      const name = `dr-${from + next}`;
      const object = {
        ...{ apiVersion: 'isthmus.dev/v1alpha1', kind: 'DrGroup' },
        metadata: { name, uid: randomUUID(), generation: 1, creationTimestamp: '2026-11-28T20:00:00Z' },
        spec: { hosts: [`svc-${from + next}.shop`], idcs: [{ name: 'sh-a' }, { name: 'sh-b' }] },
      };
      const key = base64(`/registry/isthmus.dev/drgroups/${name}`);
      return { requestPut: { key, value: base64(`${JSON.stringify(object)}\n`) } };
    });
    await api.etcd('/v3/kv/txn', { success });
  }
}

/** How many DrGroups have both conditions, with Programmed true. */
async function written(api: KubeApi): Promise<number> {
  const { items } = (await api.must('GET', collectionOf('DrGroup'))) as {
    readonly items: readonly { readonly status?: { readonly conditions?: readonly Said[] } }[];
  };
  const isDone = (conditions: readonly Said[] = []) =>
    conditions.length === 2 &&
    conditions.some(({ type, status }) => type === 'Programmed' && status === 'True');
  return items.filter(({ status }) => isDone(status?.conditions)).length;
}

interface Said {
  readonly type: string;
  readonly status: string;
}

/** Reads and writes of somebody else, one after the other, until `isOver`; milliseconds of each, sorted. */
async function othersUntil(api: KubeApi, isOver: () => boolean): Promise<readonly number[]> {
  const took: number[] = [];
  for (let at = 0; !isOver(); at += 1) {
    const before = performance.now();
    await putObject(api, workload(`w-${at % 20}`, { weight: 1 + (at % 90) }));
    took.push(performance.now() - before);
    await sleep(everyMs);
  }
  return took.sort((a, b) => a - b);
}

async function bench(): Promise<void> {
  const ends: (() => Promise<void>)[] = [];
  const stop = new AbortController();
  try {
    const api = await KubeApi.start({ teardown: (end) => ends.push(end) });
    await defineShippedKinds(api);
    await api.must('POST', '/api/v1/namespaces', { metadata: { name: 'shop' } });
    for (const name of ['sh-a', 'sh-b']) await putObject(api, idc(name));
    await fill(api);
    while ((await api.call('GET', `${collectionOf('DrGroup')}?limit=1&resourceVersion=0`)).status !== 200)
      await sleep(500);
    const quietEnd = performance.now() + 5_000;
    const quiet = await othersUntil(api, () => performance.now() > quietEnd);
    const file = api.kubeconfig();
    const access = () => readKubeconfig({ file }, clock);
    const conditions = { idc: 'sh-a', identity: 'bench' };
    const source = createKubernetesSource({ access, clock, random: systemRandom, conditions });
    const cpu = process.cpuUsage();
    // All proxies have ACKed all: what is measured is the writing.
    const progress = () => () => ({ acked: 500, proxies: 500 });
    await source.start(Object.assign(new Recorder(), { progress }), stop.signal);
    const { status } = source.facets;
    // As a control plane does that has found nothing beside other objects.
    if (status !== 'none') status.setStatuses(new Map());
    const before = performance.now();
    let isDone = false;
    const others = othersUntil(api, () => isDone);
    let have = 0;
    for (const end = before + 300_000; have < count && performance.now() < end; await sleep(1_000))
      have = await written(api);
    const seconds = (performance.now() - before) / 1000;
    isDone = true;
    const { user, system } = process.cpuUsage(cpu);
    judge({ have, seconds, cpuSeconds: (user + system) / 1e6, quiet, busy: await others });
  } finally {
    stop.abort();
    for (const end of ends) await end();
  }
}

interface Measured {
  readonly have: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly quiet: readonly number[];
  readonly busy: readonly number[];
}

function judge({ have, seconds, cpuSeconds, quiet, busy }: Measured): void {
  const at = (sorted: readonly number[], part: number) =>
    sorted[Math.floor(part * (sorted.length - 1))] ?? Number.NaN;
  const rows = [
    { what: 'objects with both conditions', value: have },
    { what: 'seconds', value: seconds },
    { what: 'CPU of this process, those who look and write included, s', value: cpuSeconds },
    { what: 'a write of somebody else, quiet: p50 ms', value: at(quiet, 0.5) },
    { what: 'meanwhile: p50 ms', value: at(busy, 0.5) },
    { what: 'meanwhile: p99 ms', value: at(busy, 0.99) },
  ];
  console.log(
    table<(typeof rows)[number]>(
      [
        ['what', ({ what }) => what],
        ['measured', ({ value }) => figure(value)],
      ],
      rows,
    ),
  );
  conclude([
    ...atMost('objects without both', count - have, 0, ''),
    ...atMost('until all have both', seconds, 60, 's'),
    ...atMost('a write of somebody else meanwhile, p50', at(busy, 0.5), 200, 'ms'),
  ]);
}

if (kubeTools() === undefined) console.log('bench-kube-status: skipped: run make kube-tools');
else await bench();
