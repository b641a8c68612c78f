import { createServer } from 'node:net';
import t from 'tap';
import { serveAdmin } from '../../src/api/admin-server.ts';
import { showAddress } from '../../src/model/values/listen-address.ts';
import { tcpInstance, who } from '../support/apps/tcp.ts';
import { freeAddress, get, startMesh, until } from '../support/mesh.ts';
import { entryYaml, idcYaml } from '../support/objects-yaml.ts';
import { runCli } from '../support/planes/run-cli.ts';

// A port that another process has at a caller: what is refused, what that holds up, and how it ends.

const [outbound, mysql] = [await freeAddress(), await freeAddress()];
const database = await tcpInstance('mysql');
await database.start();
t.teardown(() => database.kill());

const entry = (name: string, ports: string, source: string) =>
  `---${entryYaml(name, `ports: [${ports}]`, source)}`;
const http = '{number: 80, name: http, protocol: HTTP}';
const selector = 'workloadSelector: {labels: {app: web}}';
const web = (name: string, { address, port }: { address: string; port: number }) => `---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: ${name}, namespace: shop}
spec: {address: ${address}, ports: {http: ${port}}, labels: {app: web}, locality: sh-a/z1}
`;
for (const mode of ['delta', 'sotw'] as const)
  t.test(
    `${mode}: a refused listener holds nothing else up, and listens once its port is free`,
    async (t) => {
      const mesh = await startMesh('sh-a', { 'idc.yaml': idcYaml });
      t.teardown(() => mesh.close());
      const one = await mesh.app((_, response) => response.end('one'));
      const two = await mesh.app((_, response) => response.end('two'));
      const listen = mode === 'delta' ? mysql : await freeAddress();
      mesh.save('web.yaml', entry('web', http, selector) + web('web-1', one) + web('web-2', two));
      mesh.save(
        'other.yaml',
        entry('other', http, `endpoints: [{address: ${one.address}, locality: sh-a/z1}]`),
      );
      const caller = mode === 'delta' ? outbound : await freeAddress();
      await mesh.envoy(
        'caller',
        { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound: caller },
        { mode },
      );
      const lds = () => mesh.plane.status().proxies[0]?.types.LDS;
      await until(
        'the Group is served',
        async () => (await get(caller, '/', { host: 'web.shop' })).status === 200,
      );
      await until('all is in sync', () => lds()?.state === 'SYNCED');

      const taken = createServer().listen(listen.port, listen.address);
      t.teardown(() => taken.close());
      const port = `{number: ${listen.port}, name: tcp, protocol: TCP}`;
      const endpoint = `endpoints: [{address: ${database.address}, ports: {tcp: ${database.port}}, locality: sh-a/z1}]`;
      mesh.save('mysql.yaml', entry('mysql', port, endpoint));
      await until('the listener is refused', () => lds()?.nack !== undefined);
      const name = `tcp/mysql.shop:${listen.port}/${listen.address}`;
      t.match(lds()?.nack, {
        names: [name],
        lacking: [name],
        message: /cannot bind .*Address already in use/,
      });
      t.match(
        mesh.plane.status().problems.map(({ message }) => message),
        [`caller refused ${name} and goes without it, having no earlier one: `],
      );
      t.match(mesh.plane.status().problems[0]?.message, /Another process has .* on that machine: stop it/);
      const admin = await freeAddress();
      const server = await serveAdmin(mesh.plane, admin, undefined);
      t.teardown(() => server.close());
      const explained = (host: string) =>
        runCli('explain', '--from', 'sh-a/caller', '--host', host, '--admin', showAddress(admin));
      const refused = await explained('mysql.shop');
      t.equal(refused.code, 3, 'nobody serves it, though its instance is well');
      t.match(refused.out, `NOBODY serves it: sh-a/caller goes without LDS ${name}, which it refused.`);
      t.match(refused.out, /^A connection to mysql\.shop:/);
      t.match(refused.out, /^! caller \(sidecar\) refused LDS tcp.*: .*Address already in use/m);
      t.equal((await explained('web.shop')).code, 0, 'others are not concerned');

      mesh.save('other.yaml', '# nothing\n');
      const clusters = () => mesh.plane.node('caller')[0]?.differences.filter(({ type }) => type === 'CDS');
      await until(
        'a Group goes',
        async () => (await get(caller, '/', { host: 'other.shop' })).status === 404,
      );
      mesh.save('web.yaml', entry('web', http, selector) + web('web-1', one));
      const released = async () =>
        (await mesh.plane.metrics.registry.getSingleMetricAsString('isthmus_deletions_released_total'))
          .split('\n')
          .filter((line) => line.startsWith('isthmus_'));
      await until('the instance is released', async () => (await released()).length > 0, 10_000);
      t.match(await released(), [/cause="acked".* 1$/], 'a listener that is not taken concerns no instance');
      t.same(clusters(), [], 'and keeps no cluster, as nothing stands in its place');
      t.match(await get(caller, '/', { host: 'web.shop' }), { status: 200, body: 'one' });
      t.match(mesh.plane.status().proxies[0]?.types.LDS?.state, 'NACKED');

      taken.close();
      await until('the listener listens', async () => (await who(listen)) === 'mysql', 90_000);
      await until('nothing is refused any more', () => lds()?.state === 'SYNCED');
      const well = await explained('mysql.shop');
      t.match([well.code, well.out], [0, /sh-a serves it, where it begins/]);
    },
  );
