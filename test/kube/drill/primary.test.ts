import t, { type Test } from 'tap';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';
import { idc, service, workload } from '../../registry/objects.ts';
import { drillHost, Instances, startCaller, startLoad } from '../../support/kube/drill-load.ts';
import { KubeApi, withoutKube } from '../../support/kube/kube-api.ts';
import { defineShippedKinds, pathOf, putObject } from '../../support/kube/kube-kinds.ts';
import { servedPlace, untilReady } from '../../support/kube/served-kube.ts';
import { startMesh, until } from '../../support/mesh.ts';
import { freePort } from '../../support/port.ts';

// `make drill-primary`: the Primary's API server and etcd are killed under load, then the control plane.

/** Requests a second, in all. */
const rate = 500;
const addresses = ['127.0.1.1', '127.0.1.2', '127.0.1.3'];

/** How long a proxy may take to serve that starts during the outage, beyond a start of the control plane. */
const newProxyMs = 30_000;

function instance(address: string) {
  const entry = workload(`w-${address.split('.').at(-1)}`, { address });
  return { ...entry, metadata: { ...entry.metadata, finalizers: ['isthmus.dev/propagated'] } };
}

async function startWorld(t: Test) {
  const primary = await KubeApi.start(t);
  await defineShippedKinds(primary);
  await primary.must('POST', '/api/v1/namespaces', { metadata: { name: 'shop' } });
  const instances = new Instances(await freePort('127.0.1.1'));
  t.teardown(() => instances.close());
  const ports = [{ number: 80, name: 'http', protocol: 'HTTP', targetPort: instances.port }];
  await putObject(primary, idc('sh-a'));
  await putObject(primary, service('checkout', drillHost, { ports }));
  for (const address of addresses) {
    await instances.start(address);
    await putObject(primary, instance(address));
  }
  const place = await servedPlace(t);
  const state = place.emptyState();
  const served = place.start(primary.kubeconfig(), state);
  await untilReady(served);
  // Envoys; its own control plane has nothing to do.
  const mesh = await startMesh('sh-a', {});
  t.teardown(() => mesh.close());
  const callers = [
    await startCaller(mesh, 'caller-0', place.xds),
    await startCaller(mesh, 'caller-1', place.xds),
  ];
  const load = await startLoad(callers, rate, addresses);
  await until('the state is on disk', async () => /"writtenAt"/.test(await served.page('/status')));
  return { primary, instances, place, state, served, mesh, load };
}

type World = Awaited<ReturnType<typeof startWorld>>;

/** Kills the API server and etcd, then the control plane; starts another one with this state. */
async function strike({ primary, served, place }: World, state: string) {
  await Promise.all([primary.stopServer(), primary.stopEtcd()]);
  await until('it is told', async () => /SourceNotCurrent/.test(await served.page('/problems')));
  await served.end('SIGKILL');
  return place.start(primary.kubeconfig(), state);
}

/** Starts a proxy that nobody has told anything yet. Rejects if it does not serve in time. */
async function startNew({ mesh, place }: World): Promise<ListenAddress> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the new proxy does not serve')), newProxyMs);
  });
  return Promise.race([startCaller(mesh, 'caller-new', place.xds), late]).finally(() => clearTimeout(timer));
}

t.test('the Primary is killed under load: no request fails', { skip: withoutKube }, async (t) => {
  const world = await startWorld(t);
  const { primary, instances, load, state } = world;
  const next = await strike(world, state);
  await untilReady(next);
  const fresh = await startNew(world);
  const freshLoad = await startLoad([fresh], 20, addresses);
  t.match(await next.page('/problems'), /last good state/);
  t.strictSame(load.failures, [], `of ${load.sent} requests until here`);

  await primary.startEtcd();
  await primary.startServer();
  await until('it is back', async () => !/SourceNotCurrent/.test(await next.page('/problems')));
  await putObject(primary, instance('127.0.1.4'));
  await instances.start('127.0.1.4');
  const [first = ''] = addresses;
  await primary.must('DELETE', pathOf(instance(first)));
  await until(
    'its object is gone: no proxy has it any more',
    async () => (await primary.call('GET', pathOf(instance(first)))).status === 404,
  );
  // As a preStop hook that waits for it lets its Pod do.
  instances.stop(first);
  for (const one of [load, freshLoad])
    await until('what was added serves', () => (one.served.get('127.0.1.4') ?? 0) >= 5);
  await Promise.all([load.end(), freshLoad.end()]);
  t.strictSame(load.failures, [], `of ${load.sent} requests`);
  t.strictSame(freshLoad.failures, [], `of ${freshLoad.sent} requests of the new proxy`);
  t.ok(load.sent > 5 * rate);
  t.comment(`${load.sent} and ${freshLoad.sent} requests, 0 failed`);
});

t.test(
  'control: without the last good state a new proxy does not serve',
  { skip: withoutKube },
  async (t) => {
    const world = await startWorld(t);
    const { place, load } = world;
    const next = await strike(world, place.emptyState());
    await t.rejects(startNew(world), /the new proxy does not serve/);
    t.equal(await next.isReady(), false);
    t.match(await next.page('/problems'), /cannot be reached/);
    await load.end();
  },
);
