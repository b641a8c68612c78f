import t from 'tap';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { startPosting } from '../support/clients/posting.ts';
import { freeAddress, get, startMesh, until } from '../support/mesh.ts';
import { groupYaml } from '../support/objects-yaml.ts';
import { createPlanes } from '../support/planes/planes.ts';
import { runEcho } from '../support/planes/run-instance.ts';

// A control plane that stands still (SIGSTOP): its kernel goes on taking connections, so nothing refuses.
const tools = await startMesh('sh-a', {});
t.teardown(() => tools.close());
const keepAlive = setInterval(() => {}, 1000);
t.teardown(() => clearInterval(keepAlive));

t.test('proxies leave a control plane that hangs, and lose nothing', { timeout: 300_000 }, async (t) => {
  const flags = ['--peer-start-limit', '2s'];
  const { planes, close } = await createPlanes(2, { files: { 'echo.yaml': groupYaml('echo') }, flags });
  t.teardown(close);
  const [first, second] = planes;
  for (const plane of planes) plane.start();
  await Promise.all(planes.map((plane) => plane.ready()));
  const outbound = await freeAddress();
  const xds = planes.map((plane) => plane.xds);
  const scope = { role: 'sidecar', idc: 'sh-a', namespace: 'shop' } as const;
  await tools.envoy('caller', { ...scope, outbound }, { xds });
  // The negative control: two failures in a row never come, as each connection is taken.
  const patch = (bootstrap: string) =>
    bootstrap.replace('"consecutive_local_origin_failure":1', '"consecutive_local_origin_failure":2');
  await tools.envoy('control', { ...scope, outbound: await freeAddress() }, { xds, patch });
  const has = async (id: string) => (await second.page('/status')).includes(`"id": "${id}"`);

  const begin = async (text: string) => {
    const { port } = await freeAddress();
    const ports = planes.map(({ admin }) => admin.port);
    const run = runEcho(ports, port, text, { flags: ['--ttl', '6s'] });
    // The second signal is passed on at once.
    t.teardown(() => [1, 2].forEach(() => void run.child.kill('SIGTERM')));
    await run.said(/every proxy .*has it/);
    return run;
  };
  const one = await begin('one');
  await until('it serves', async () => (await get(outbound, '/', { host: 'echo.shop' })).status === 200);
  t.notOk(await has('caller'), 'it asks the first');
  const posting = startPosting([outbound]);

  const stoppedAt = performance.now();
  await first.kill('SIGSTOP');
  t.teardown(() => first.kill('SIGCONT'));
  const two = await begin('two');
  one.child.kill('SIGTERM');
  await until('it asks the second', () => has('caller'), 120_000);
  t.comment(`after ${Math.round(performance.now() - stoppedAt)} ms`);
  t.equal(await one.ended, 0);
  t.match(one.out(), /cut off: 0/);
  await until('it has the new instance', async () => {
    return (await get(outbound, '/', { host: 'echo.shop' })).body === 'two';
  });
  const { sent, failed } = await posting.stop();
  t.comment(`${sent} requests`);
  t.strictSame(failed, []);
  await sleep(systemClock, 10_000);
  t.notOk(await has('control'), 'without that it asks the first for ever');
  two.child.kill('SIGTERM');
  await two.ended;
});
