import t from 'tap';
import { idc, service, toYaml } from '../registry/objects.ts';
import { freeAddress, get, startMesh, until } from '../support/mesh.ts';

// `isthmus bootstrap --xds A --xds B`: the second is asked where the first does not answer, and with neither
// an Envoy goes on with what it has.
t.test(
  'an Envoy starts from the second control plane, continues with it, and serves without any',
  async (t) => {
    const files = (port: number) => ({
      'all.yaml': toYaml(
        idc('sh-a'),
        service('s', 'echo.shop', {
          workloadSelector: undefined,
          endpoints: [{ address: '127.0.0.1', ports: { http: port } }],
        }),
      ),
    });
    const second = await startMesh('sh-a', {});
    t.teardown(() => second.close());
    const apps = await Promise.all(
      ['one', 'two'].map((name) => second.app((_, response) => response.end(name))),
    );
    const [one, two] = apps.map(({ port }) => port) as [number, number];
    second.save('all.yaml', files(one)['all.yaml']);
    const first = await startMesh('sh-a', files(one));
    t.teardown(() => first.close());
    const scope = async () => ({
      ...({ role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound: await freeAddress() } as const),
    });
    const asks = (mesh: typeof first, id: string) =>
      mesh.plane.status().proxies.some((proxy) => proxy.id === id);
    const served = async (outbound: { address: string; port: number }) =>
      (await get(outbound, '/', { host: 'echo.shop' })).body;

    const late = await scope();
    await second.envoy('late', late, { xds: [await freeAddress(), second.plane.xds] });
    t.ok(asks(second, 'late'), 'the first is down: it starts from the second');
    await until('it serves', async () => (await served(late.outbound)) === 'one');

    const loyal = await scope();
    await second.envoy('loyal', loyal, { xds: [first.plane.xds, second.plane.xds] });
    t.ok(asks(first, 'loyal'));
    t.notOk(asks(second, 'loyal'), 'the second is asked only where the first does not answer');
    await first.plane.close();
    await until('it asks the second', () => asks(second, 'loyal'));
    second.save('all.yaml', files(two)['all.yaml']);
    await until('a change arrives by the second', async () => (await served(loyal.outbound)) === 'two');

    await second.plane.close();
    for (let i = 0; i < 50; i += 1) {
      t.equal(await served(loyal.outbound), 'two', 'without a control plane it serves as before');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  },
);
