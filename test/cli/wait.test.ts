import t from 'tap';
import { serveAdmin } from '../../src/api/admin-server.ts';
import type { SidecarScope } from '../../src/model/node.ts';
import { connectXds } from '../support/clients/xds-client.ts';
import { startMesh, until } from '../support/mesh.ts';
import { idcYaml, idcYamlOf, oneYaml } from '../support/objects-yaml.ts';
import { runCli } from '../support/planes/run-cli.ts';

// `isthmus wait` beside a control plane, and a proxy that confirms when the test says so.
const mesh = await startMesh('sh-a', {
  'idc.yaml': idcYaml,
  'one.yaml': oneYaml({ address: '127.0.0.1', port: 1 }, 'sh-a'),
});
const admin = await serveAdmin(mesh.plane, { address: '127.0.0.1', port: 0 }, undefined);
const scope: SidecarScope = {
  role: 'sidecar',
  idc: 'sh-a',
  namespace: 'test',
  outbound: { address: '127.0.0.1', port: 1 },
};
const proxy = connectXds(`127.0.0.1:${mesh.plane.xds.port}`, 'delta', {
  id: 'caller',
  metadata: { isthmus: scope },
});
t.teardown(async () => {
  proxy.close();
  await admin.close();
  await mesh.close();
});
const at = `127.0.0.1:${admin.port}`;
const wait = (...args: string[]) => runCli('wait', '--admin', at, ...args);
// Compiling filters takes long on a machine that is busy.
await until('it is ready', () => mesh.plane.readiness().ready, 240_000);
proxy.send('CDS', { resource_names_subscribe: ['*'] });
const first = await proxy.next();

t.test('a proxy that has not confirmed is named, until the time is over', async (t) => {
  const { code, out, err } = await wait('--timeout', '5s', '--settle', '0s');
  t.equal(code, 1);
  t.equal(out, '');
  t.match(err, new RegExp(`^not synced: caller of sh-a at ${at}: CDS STALE\n`));
  t.match(err, new RegExp(`not synced within 5 s \\(asked ${at}\\):\n {2}caller of sh-a`));
  t.equal(
    err.split('\n').filter((line) => line.startsWith('not synced: ')).length,
    1,
    'a line when it changes',
  );
  t.equal(
    (await wait('--for', 'ready', '--timeout', '5s', '--settle', '0s')).code,
    0,
    'it is ready all the same',
  );
});

t.test('it returns once the proxy has confirmed', async (t) => {
  const waiting = wait('--timeout', '60s', '--settle', '0s');
  proxy.ack(first);
  t.match(await waiting, { code: 0, out: '', err: /synced after / });
  t.match(await wait('--quiet'), { code: 0, err: '' });
});

t.test('asked once, it needs not have been so for a time', async (t) => {
  t.match(await wait('--timeout', '0'), { code: 0, out: '', err: /^synced after [^\n]+\n$/ });
  t.match(
    await wait('--timeout', '500ms'),
    { code: 2, err: /--timeout 500 ms is over before --settle 1 s/ },
    'what could not succeed is refused',
  );
});

t.test('a refusal is not in sync', async (t) => {
  mesh.save(
    'one.yaml',
    oneYaml({ address: '127.0.0.1', port: 2 }, 'sh-a').replaceAll('one.test', 'two.test'),
  );
  proxy.nack(await proxy.next(), 'no');
  t.match(await wait('--timeout', '0s'), { code: 1, err: /caller of .*: CDS NACKED/ });
});

t.test('a revision: one that is not yet there is waited for', async (t) => {
  const { revision } = mesh.plane.status();
  t.ok(revision > 0);
  t.match(await wait('--for', `${revision + 1}`, '--timeout', '0s'), {
    code: 1,
    err: new RegExp(`not at revision ${revision + 1}: sh-a at ${at} is at revision ${revision}\n`),
  });
  t.match(
    await wait('--for', `${revision}`, '--timeout', '0s'),
    { code: 1, err: /CDS NACKED/ },
    'there, and refused',
  );
  t.match(await wait('--for', '7', '--all-idcs'), { code: 2, err: /one --admin/ });
  t.match(await wait('--for', 'soon'), { code: 2, err: /'soon' is not a goal: give synced, ready/ });
});

t.test('nobody answers, and IDCs of which nobody knows where to ask', async (t) => {
  t.match(await runCli('wait', '--admin', '127.0.0.1:1', '--timeout', '0s'), {
    code: 2,
    err: /not synced: the control plane at 127\.0\.0\.1:1 does not answer.*\nnot synced within 0/,
  });
  mesh.save('other.yaml', idcYamlOf('sh-b'));
  await until('it is known', () => mesh.plane.status().others.length === 1);
  t.match(await wait('--for', 'ready', '--all-idcs'), {
    code: 2,
    err: /sh-b is not asked: .*spec\.controlPlanes/,
  });
  const named = idcYamlOf('sh-b', undefined, 'controlPlanes: ["127.0.0.1:1"]');
  mesh.save('other.yaml', named);
  await until('its control plane is known', () => mesh.plane.status().others[0]?.controlPlanes.length === 1);
  t.match(await wait('--for', 'ready', '--all-idcs', '--timeout', '0s'), {
    code: 1,
    err: /not ready: the control plane at 127\.0\.0\.1:1 does not answer/,
  });
});
