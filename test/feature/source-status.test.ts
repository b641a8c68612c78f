import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';
import { toYaml, workload } from '../registry/objects.ts';
import { until } from '../support/mesh.ts';
import { startRegisteringMesh } from '../support/planes/registering.ts';

// What becomes of objects goes back to the source that has them: registrations show it to who asks for them.

const run = promisify(execFile);

t.test('what becomes of a registration comes back to it', { timeout: 300_000 }, async (t) => {
  const mesh = await startRegisteringMesh();
  t.teardown(() => mesh.close());
  const instance = (labels: Record<string, string>, address = '10.1.0.1') => ({
    ...{ address, ports: {}, labels, ttl: '1h' },
  });
  const statusOf = async (name: string) => (await mesh.api('GET', `/shop/${name}`)).body.status;
  await mesh.api('PUT', '/shop/lost', instance({ app: 'nobody' }));
  await mesh.api('PUT', '/shop/found', instance({ app: 'echo' }, '10.1.0.2'));
  await until('it is told that nothing selects it', async () => (await statusOf('lost')) !== undefined);
  t.match(await statusOf('lost'), {
    inForce: true,
    findings: [{ code: 'NotSelected', severity: 'warning', ref: { kind: 'WorkloadEntry', name: 'lost' } }],
  });
  t.equal(await statusOf('found'), undefined, 'nothing is said of the others');

  const main = new URL('../../src/cli/main.ts', import.meta.url).pathname;
  const args = [main, 'instances', '--admin', `127.0.0.1:${mesh.adminPort}`];
  const { stdout } = await run(process.execPath, args);
  t.match(stdout, /^! shop\/lost: no ServiceEntry in namespace shop selects it.*\[NotSelected\]$/m);
  t.notMatch(stdout, /^! shop\/found/m);

  await mesh.api('PUT', '/shop/lost', instance({ app: 'echo' }));
  await until('it is told that it is selected', async () => (await statusOf('lost')) === undefined);

  mesh.save('found.yaml', toYaml(workload('found', { labels: { app: 'echo' }, address: '10.1.0.9' })));
  await until('it is told that the file counts', async () => (await statusOf('found')) !== undefined);
  t.match(await statusOf('found'), {
    inForce: false,
    findings: [{ code: 'OtherSourceCounts', ref: { name: 'found' }, where: 'registration shop/found' }],
  });
});
