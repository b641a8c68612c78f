import t, { type Test } from 'tap';
import { systemClock as clock, sleep } from '../../../src/base/clock.ts';
import { idc, service, workload } from '../../registry/objects.ts';
import { countedAddress, groups, hostOf, startCountingProxies } from '../../support/kube/counting-proxies.ts';
import { KubeApi, withoutKube } from '../../support/kube/kube-api.ts';
import { defineShippedKinds, pathOf, putObject } from '../../support/kube/kube-kinds.ts';
import {
  type ServedKube,
  type ServedPlace,
  servedPlace,
  untilReady,
} from '../../support/kube/served-kube.ts';
import { until } from '../../support/mesh.ts';
import type { Replacement } from '../../support/planes/served.ts';

// `make drill-replicas`: three control planes of an IDC are restarted one after another, with 500 proxies and
// 20 changes a second.

const proxyCount = 500;
const changesPerSecond = 20;
/** Fewer than these are no share: of 500 at random over three each has 167, give or take 11. */
const shareMin = 100;
/** Above what changes take to arrive at all proxies on a busy machine. */
const arrivalMs = 20_000;

const instance = (group: number, change: number) =>
  workload(`w-${group}`, { address: countedAddress(group, change), labels: { app: `g-${group}` } });

/** A control plane, and whether it is behind the address that proxies connect to. */
interface Replica {
  readonly place: ServedPlace;
  served: ServedKube;
  isListed: boolean;
}

/** Looks at `/readyz` of each, and lists those that are ready, as the kubelet and a Service do. */
function startProbes(t: Test, replicas: readonly Replica[]): void {
  let isOver = false;
  t.teardown(() => {
    isOver = true;
  });
  const probe = async (replica: Replica) => {
    while (!isOver) {
      replica.isListed = await replica.served.isReady().catch(() => false);
      await sleep(clock, 200);
    }
  };
  for (const replica of replicas) void probe(replica);
}

/** Changes one Group after another, at a fixed rate. */
function startChanges(api: KubeApi, begin: (group: number, change: number) => void) {
  const counts = new Array<number>(groups).fill(0);
  let [isOver, made] = [false, 0];
  const startedAt = clock.now();
  const done = (async () => {
    while (!isOver) {
      if (made >= ((clock.now() - startedAt) / 1_000) * changesPerSecond) {
        await sleep(clock, 5);
        continue;
      }
      const group = made % groups;
      const change = (counts[group] ?? 0) + 1;
      counts[group] = change;
      begin(group, change);
      const spec = { address: countedAddress(group, change) };
      await api.must('PATCH', pathOf(instance(group, 0)), { spec });
      made += 1;
    }
  })();
  return {
    made: () => made,
    async end() {
      isOver = true;
      await done;
    },
  };
}

async function startWorld(t: Test, flags: readonly string[]) {
  const api = await KubeApi.start(t);
  await defineShippedKinds(api);
  await api.must('POST', '/api/v1/namespaces', { metadata: { name: 'shop' } });
  await putObject(api, idc('sh-a'));
  for (let group = 0; group < groups; group += 1) {
    const workloadSelector = { labels: { app: `g-${group}` } };
    await putObject(api, service(`g-${group}`, hostOf(group), { workloadSelector }));
    await putObject(api, instance(group, 0));
  }
  const replicas: Replica[] = [];
  for (let at = 0; at < 3; at += 1) {
    const place = await servedPlace(t, flags);
    const served = place.start(api.kubeconfig(), place.emptyState());
    await untilReady(served);
    replicas.push({ place, served, isListed: true });
  }
  startProbes(t, replicas);
  const proxies = startCountingProxies(proxyCount, () => {
    const listed = replicas.filter(({ isListed }) => isListed);
    return listed[Math.floor(Math.random() * listed.length)]?.place.xds;
  });
  t.teardown(() => proxies.close());
  const shares = () => replicas.map(({ place }) => proxies.connected().get(place.xds.port) ?? 0);
  // Where connections have an age some are always on the way.
  const connected = () =>
    until('proxies are connected', () => shares().reduce((sum, one) => sum + one) > 0.8 * proxyCount);
  await connected();
  const changes = startChanges(api, proxies.begin);
  // Before the API server ends.
  t.teardown(() => changes.end());
  return { api, replicas, proxies, shares, connected, changes };
}

type World = Awaited<ReturnType<typeof startWorld>>;

/** Ends one after another as Kubernetes does, and starts another in its place, as a new Pod is. */
async function restartAll({ api, replicas, connected }: World, ...faults: Replacement[]): Promise<void> {
  for (const replica of replicas) {
    await replica.served.end('SIGTERM');
    await connected();
    replica.served = replica.place.start(api.kubeconfig(), replica.place.emptyState(), ...faults);
    await untilReady(replica.served);
  }
}

/** No more changes; resolves once every proxy has the last one of each Group. */
async function settled({ changes, proxies }: World, timeoutMs: number): Promise<void> {
  await changes.end();
  await until('all have all changes', () => proxies.upToDate() === proxyCount, timeoutMs);
}

/** So many changes more, by which time may be told. */
async function moreChanges({ changes }: World, count: number): Promise<void> {
  const from = changes.made();
  await until('changes are made', () => changes.made() >= from + count, 120_000);
}

const quantile = (sorted: readonly number[], share: number) =>
  Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);

t.test(
  'three are restarted in turn: nothing is lost, nothing goes backwards, all get a share',
  { skip: withoutKube },
  async (t) => {
    const world = await startWorld(t, ['--connection-age', '10s']);
    const { proxies, shares, changes } = world;
    await moreChanges(world, 40);
    await restartAll(world);
    const [first, restartedAt] = [shares(), clock.now()];
    await until('each has its share', () => shares().every((share) => share >= shareMin));
    const balancedMs = clock.now() - restartedAt;
    await moreChanges(world, 60);
    await settled(world, arrivalMs);
    t.strictSame(proxies.backwards, [], 'no proxy was told of an older state');
    t.equal(
      proxies.delays.length,
      changes.made() * proxyCount,
      'each proxy has had each change, or a later one',
    );
    const delays = [...proxies.delays].sort((a, b) => a - b);
    const [p50, p99, max] = [0.5, 0.99, 1].map((share) => quantile(delays, share));
    t.comment(
      `${changes.made()} changes, ${proxies.ended} connections ended; ms to arrive: p50 ${p50}, p99 ${p99}, max ${max}`,
    );
    t.comment(
      `connections after the restart ${first}, shares after ${Math.round(balancedMs)} ms, at the end ${shares()}`,
    );
  },
);

t.test(
  'control: connections of any age, and control planes that pass over half of all changes',
  { skip: withoutKube },
  async (t) => {
    const world = await startWorld(t, []);
    const { proxies, shares } = world;
    await restartAll(world, {
      file: 'registry/kubernetes/kind-store.ts',
      from: 'const status = this.kind.hasConditions',
      to: "if (known !== undefined && ref.kind === 'WorkloadEntry' && Math.random() < 0.5) return;\n    const status = this.kind.hasConditions",
    });
    await moreChanges(world, 60);
    t.ok((shares().at(-1) ?? 0) < shareMin, `the last one has no share: ${shares()}`);
    await t.rejects(settled(world, arrivalMs / 4), /all have all changes/, 'changes are lost');
    t.ok(
      proxies.backwards.length > 0,
      `${proxies.backwards.length} times backwards: ${proxies.backwards[0]}`,
    );
  },
);
