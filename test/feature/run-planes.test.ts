import t from 'tap';
import { freeAddress, get, startMesh, until } from '../support/mesh.ts';
import { groupYaml } from '../support/objects-yaml.ts';
import { createPlanes, type ServedPlane } from '../support/planes/planes.ts';
import { runEcho, startIsthmus } from '../support/planes/run-instance.ts';

// `isthmus run` and two control planes of one IDC, either of which may be away.
const tools = await startMesh('sh-a', {});
t.teardown(() => tools.close());
const { planes, close } = await createPlanes(2, {
  files: { 'echo.yaml': groupYaml('echo') },
  flags: ['--peer-start-limit', '2s'],
});
t.teardown(close);
const [first, second] = planes;
const ports = planes.map(({ admin }) => admin.port);
const name = ({ admin }: ServedPlane) => `127.0.0.1:${admin.port}`;
const state = async (plane: ServedPlane) => (await plane.api('GET', '')).body.items.map(stateOf);
const stateOf = (item: { state: string; keptBy?: string }) => `${item.state}${item.keptBy ? ' kept' : ''}`;

for (const plane of planes) plane.start();
await Promise.all(planes.map((plane) => plane.ready()));
const outbound = await freeAddress();
await tools.envoy(
  'caller',
  { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound },
  { xds: planes.map(({ xds }) => xds) },
);

/** An instance that is known to both, and registered. */
async function start(admins: readonly number[], flags: readonly string[] = []) {
  const { port } = await freeAddress();
  const run = runEcho(admins, port, 'x', { flags: ['--ttl', '3s', '--linger', '0s', ...flags] });
  t.teardown(() => run.child.kill('SIGKILL'));
  return run;
}

t.test('it is registered at each, and taken out at each', async (t) => {
  const run = await start(ports);
  for (const plane of planes)
    await run.said(new RegExp(`registered shop/echo\\S+ generation \\d+ at ${name(plane)}`));
  for (const plane of planes) await run.said(new RegExp(`every proxy of ${name(plane)} has it`));
  for (const plane of planes) t.strictSame(await state(plane), ['ready']);
  const listed = startIsthmus(ports, ['instances']);
  await listed.ended;
  t.match(listed.out(), /AT +WAITS FOR\n/);
  t.match(listed.out(), new RegExp(`ready.*${planes.map(name).join(', ')}\\n$`));
  await until('it serves', async () => (await get(outbound, '/', { host: 'echo.shop' })).status === 200);
  run.child.kill('SIGTERM');
  t.equal(await run.ended, 0);
  t.match(run.err(), /no proxy sends requests here any more/);
  for (const plane of planes) t.strictSame(await state(plane), []);
});

t.test('a single named control plane names the others', async (t) => {
  const run = await start([first.admin.port]);
  await run.said(new RegExp(`also registering at ${name(second)}, another`));
  await run.said(new RegExp(`registered shop/echo\\S+ generation \\d+ at ${name(second)}`));
  t.strictSame(await state(second), ['ready']);
  run.child.kill('SIGTERM');
  t.equal(await run.ended, 0);
  for (const plane of planes) t.strictSame(await state(plane), []);
});

t.test('a control plane that is down at the start gets the registration when it is back', async (t) => {
  await second.kill('SIGKILL');
  const run = await start(ports);
  await run.said(new RegExp(`control plane at ${name(second)} does not answer.*CMD goes on`));
  await run.said(new RegExp(`registered shop/echo\\S+ generation \\d+ at ${name(first)}`));
  const listed = startIsthmus(ports, ['instances']);
  t.equal(await listed.ended, 1);
  t.match(listed.err(), new RegExp(`control plane at ${name(second)} does not answer`));
  second.start();
  await run.said(new RegExp(`registered shop/echo\\S+ generation \\d+ at ${name(second)}`));
  await second.ready();
  await first.kill('SIGKILL');
  // Longer than its lease.
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  t.strictSame(await state(second), ['ready']);
  t.equal((await get(outbound, '/', { host: 'echo.shop' })).status, 200);
  const asked = performance.now();
  run.child.kill('SIGTERM');
  t.equal(await run.ended, 0);
  t.ok(performance.now() - asked < 10_000, 'one that is away holds nothing up');
  t.match(
    run.err(),
    new RegExp(`control plane at ${name(first)} does not answer: .*; its proxies were waited for`),
  );
  t.match(run.err(), /no proxy sends requests here any more/);
  first.start();
  await first.ready();
  t.notOk((await state(first)).includes('ready'), 'what left meanwhile is not there');
});

t.test('a control plane that hangs delays nothing', async (t) => {
  const run = await start(ports);
  for (const plane of planes)
    await run.said(new RegExp(`registered shop/echo\\S+ generation \\d+ at ${name(plane)}`));
  await first.kill('SIGSTOP');
  t.teardown(() => first.kill('SIGCONT'));
  const asked = performance.now();
  run.child.kill('SIGTERM');
  t.equal(await run.ended, 0);
  const tookMs = performance.now() - asked;
  t.comment(`${Math.round(tookMs)} ms`);
  t.ok(tookMs < 20_000);
  t.match(run.err(), new RegExp(`control plane at ${name(first)} does not answer`));
  await first.kill('SIGCONT');
  await until(
    'it has heard',
    async () => !(await state(first)).some((one: string) => one.startsWith('ready')),
  );
});

t.test('deregister: at all that answer, whichever is named', async (t) => {
  const run = await start(ports);
  for (const plane of planes)
    await run.said(new RegExp(`registered shop/echo\\S+ generation \\d+ at ${name(plane)}`));
  const id = /registered shop\/(\S+),/.exec(run.err())?.[1] ?? '';
  const out = startIsthmus(
    [second.admin.port],
    ['deregister', '--name', id, '--namespace', 'shop', '--wait'],
  );
  t.equal(await out.ended, 0, out.err());
  for (const plane of planes) t.notOk((await state(plane)).includes('ready'));
  // Its next renewals are refused: it was taken out by somebody else.
  await run.said(/(not renewed at .* any more.*){2}/s);
  run.child.kill('SIGTERM');
  await run.ended;
  const none = startIsthmus([(await freeAddress()).port], ['deregister', '--name', id, '--timeout', '1s']);
  t.equal(await none.ended, 2);
  t.match(none.err(), /does not answer/);
});
