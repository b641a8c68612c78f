import t from 'tap';
import { freeAddress, startMesh, until } from '../support/mesh.ts';
import { groupYaml } from '../support/objects-yaml.ts';
import { createPlanes, type ServedPlane } from '../support/planes/planes.ts';
import { startIsthmus } from '../support/planes/run-instance.ts';

// What commands say of several control planes, and of instances that nobody has registered.
const tools = await startMesh('sh-a', {});
t.teardown(() => tools.close());
const { planes, close } = await createPlanes(2, { files: { 'echo.yaml': groupYaml('echo') } });
t.teardown(close);
const [first, second] = planes;
const name = ({ admin }: ServedPlane) => `127.0.0.1:${admin.port}`;
const both = planes.map(({ admin }) => admin.port);

async function isthmus(ports: readonly number[], ...args: string[]) {
  const { ended, out, err } = startIsthmus(ports, args);
  const code = await ended;
  return { code, out: out(), err: err() };
}

t.test('a first control plane reports which peers it waits for, for how long, and what to do', async (t) => {
  first.start();
  const words = new RegExp(
    `source registrations: the file of --registrations is new.*without a limit.*${name(second)} \\(.*ECONNREFUSED.*--peer-admin`,
  );
  await until('readyz says it', async () => words.test(await first.page('/readyz')));
  t.match(await first.page('/readyz'), /^not ready, waiting for: .*source registrations/);
  const { code, out } = await isthmus([first.admin.port], 'status');
  t.equal(code, 1, 'it is not ready');
  t.match(out, words);
  t.match(JSON.parse(await first.page('/status')), { ready: false, reasons: [words] });
  await until('the log says it', () =>
    /"why":\["source registrations: the file.*"msg":"not ready"/.test(first.log()),
  );
});

t.test('its advice is right: once without --peer-admin, and it is complete', async (t) => {
  const alone = await createPlanes(1, { files: {}, peers: false });
  const [one] = alone.planes;
  t.teardown(alone.close);
  one.start();
  await one.ready();
  await one.kill('SIGTERM');
  const nobody = await freeAddress();
  one.start(['--peer-admin', `127.0.0.1:${nobody.port}`, '--peer-start-limit', '1s']);
  await one.ready();
  t.match(await one.page('/readyz'), /^ready\n/);
});

t.test('if another one answers, it reports which, and continues after its limit', async (t) => {
  second.start();
  // The first one has waited for longer than its limit: it goes on at once. The second one has just begun.
  const words = new RegExp(`the files of ${name(first)} are as new: it waits \\d+ s more`);
  await until('it says so', async () => words.test(await second.page('/readyz')));
  await Promise.all(planes.map((plane) => plane.ready()));
  t.match(JSON.parse(await first.page('/status')).reasons, []);
});

t.test('status: each control plane and its own proxies, from --admin and from ISTHMUS_ADMIN', async (t) => {
  const sidecar = async () => ({
    ...{ role: 'sidecar', idc: 'sh-a', namespace: 'shop' },
    outbound: await freeAddress(),
  });
  for (const [index, { xds }] of planes.entries())
    await tools.envoy(`caller-${index}`, (await sidecar()) as never, { xds: [xds] });
  const one = await isthmus([second.admin.port], 'status');
  t.match(one.out, new RegExp(`^Control plane of sh-a at ${name(second)}: ready\\.`));
  t.match(one.out, /caller-1 /);
  t.notMatch(one.out, /caller-0 /);
  t.match(one.out, new RegExp(`In sync with the control plane at ${name(first)}.*--admin ${name(first)}`));

  const all = await isthmus(both, 'status');
  t.equal(all.code, 1, 'no gateway is connected to either of them');
  t.match(all.out, /! Idc sh-a: Idc sh-a declares an egress gateway at 127\.0\.0\.1:3 /);
  t.notMatch(one.out, /declares an egress gateway/, 'one of two cannot know');
  t.match(
    all.out,
    new RegExp(`at ${name(first)}: ready.*caller-0 .*at ${name(second)}: ready.*caller-1 `, 's'),
  );
  const flags = ['--admin', name(second), '--admin', name(first)];
  const given = await isthmus([1], 'status', ...flags, '-o', 'json');
  t.match(JSON.parse(given.out), [
    { admin: name(second), status: { proxies: [{ id: 'caller-1' }] }, problems: [] },
    { admin: name(first), status: { proxies: [{ id: 'caller-0' }] }, problems: [] },
  ]);

  const node = await isthmus(both, 'status', 'caller-1');
  t.equal(node.code, 0);
  t.match(node.out, new RegExp(`^At the control plane ${name(second)}:\\ncaller-1: sidecar of sh-a`));
  const nobody = await isthmus(both, 'status', 'nobody');
  t.equal(nobody.code, 2);
  t.match(
    nobody.err,
    new RegExp(`${name(first)}: no node 'nobody'.*caller-0.*${name(second)}:.*caller-1`, 's'),
  );

  await tools.envoy('caller-0', (await sidecar()) as never, { xds: [second.xds] });
  const twice = await isthmus(both, 'status');
  t.match(twice.out, /! caller-0 is connected to .* and .*: an Envoy is connected to one\./);
  t.notMatch(twice.out, /! caller-1/);
});

t.test('one of two does not answer: the other is shown, and the exit code says it', async (t) => {
  const gone = (await freeAddress()).port;
  const some = await isthmus([gone, first.admin.port], 'status');
  t.equal(some.code, 1);
  t.match(
    some.out,
    new RegExp(`^! the control plane at 127.0.0.1:${gone} does not answer.*\\n\\nControl plane of sh-a`),
  );
  const list = await isthmus([gone, first.admin.port], 'status', '-o', 'json');
  t.equal(list.code, 1);
  t.match(JSON.parse(list.out), [{ error: /does not answer/ }, { status: { idc: 'sh-a' } }]);
  const instances = await isthmus([gone, first.admin.port], 'instances');
  t.match(instances, { code: 1, out: /no instance has registered/, err: /does not answer/ });
  const also = (await freeAddress()).port;
  const none = await isthmus([gone, also], 'status');
  t.equal(none.code, 2);
  t.match(none.err, new RegExp(`at 127.0.0.1:${gone}.*\\n.*at 127.0.0.1:${also}`));
});

t.test('another server at the address is not taken for a control plane', async (t) => {
  const page = await tools.app((_, response) => response.end('<html>hello</html>'));
  const status = await isthmus([page.port], 'status');
  t.match(status, {
    code: 2,
    err: /is not the admin address of a control plane: \/(status|problems) answers 200, "<html>/,
  });
  const other = await tools.app((_, response) => response.writeHead(404).end('invalid path'));
  t.match(await isthmus([other.port], 'status', 'x'), { code: 2, err: /is not the admin address/ });
  t.match(await isthmus([page.port], 'instances'), {
    code: 2,
    err: /not the admin address of a control plane/,
  });
});

t.test('deregister and instances report that no such instance is registered, and which are', async (t) => {
  const none = await isthmus(both, 'deregister', '--name', 'nosuch', '--wait');
  t.match(none, {
    code: 0,
    err: /^isthmus: no instance default\/nosuch is registered.* None is, in any namespace\.\n$/,
  });
  const body = { address: '127.0.0.1', ports: { http: 1 }, labels: { app: 'echo' } };
  t.match(await first.api('PUT', '/shop/echo-1?wait=acked', body), { status: 201 });
  const near = await isthmus(both, 'deregister', '--name', 'ecoh-1', '--namespace', 'shop', '--wait');
  t.match(near, { code: 0, err: /no instance shop\/ecoh-1 is registered.*Did you mean 'echo-1'\?/ });
  const elsewhere = await isthmus(both, 'deregister', '--name', 'echo-1', '--wait');
  t.match(elsewhere, {
    code: 0,
    err: /no instance default\/echo-1 .*shop\/echo-1 is: give --namespace shop/,
  });
  t.match(await isthmus(both, 'instances', '--namespace', 'default'), {
    ...{ code: 0, out: 'no instance has registered in namespace default; there are some in shop\n' },
  });
  // Asked at the one that did not hear of it first.
  const there = await isthmus(both, 'deregister', '--name', 'echo-1', '--namespace', 'shop', '--wait');
  t.match(there, { code: 0, err: '' });
  t.match(await first.api('DELETE', '/shop/echo-1'), { status: 200, body: { was: 'absent', state: 'gone' } });
});
