import t, { type Test } from 'tap';
import { clusterType, endpointType } from '../../src/xds/resource-types.ts';
import { deltaRequest, methods, namesOf, nodeOf, openHttp2 } from '../support/attacks/call.ts';
import { get, until } from '../support/mesh.ts';
import { type Replacement, startServe, takeAway, without } from '../support/planes/served.ts';

const metadata = { isthmus: { role: 'sidecar', idc: 'sh-a', namespace: 'shop' } };

/**
 * Clients that are there ask, all at once, for twice as much as there is memory; beside them a proxy that
 * asks for little.
 */
async function askForMore(t: Test, ...off: Replacement[]) {
  const requests = Array.from({ length: 60 }, (_, i) =>
    deltaRequest({ type: endpointType, names: namesOf(40_000, `${i}-${'x'.repeat(60)}`) }),
  );
  const served = await startServe({
    node: ['--max-old-space-size=128', '--import', without],
    env: takeAway(...off),
  });
  t.teardown(() => served.close());
  await served.ready();
  const open = (id: string, from: string) => {
    const connection = openHttp2(served.xds, from);
    t.teardown(() => connection.close());
    const call = connection.call(methods.delta);
    const node = nodeOf(id, metadata.isthmus);
    void call.send(deltaRequest({ node, type: clusterType, names: ['*'] }));
    return call;
  };
  const honest = open('honest', '127.0.0.1');
  const calls = requests.map((_, i) => open(`greedy-${i}`, '127.0.0.2'));
  await until('all are answered', async () => calls.every((call) => call.hasAnswer()));
  for (const [i, call] of calls.entries()) void call.send(requests[i] as Buffer);
  return { served, honest, calls };
}

t.test('of those who ask for more than there is some end, and the process goes on', async (t) => {
  const soon = { file: 'plane/memory.ts', from: 'collect: 30_000', to: 'collect: 1_000' };
  const { served, honest, calls } = await askForMore(t, soon);
  const ended = () => calls.filter((call) => call.hasEnded());
  await until('some have ended', async () => ended().length > 10, 120_000);
  for (const call of ended()) t.match(await call.ended, /^status 8: memory is nearly full: /);
  t.notOk(honest.hasEnded(), 'who asks for little is served on');
  for (const call of calls) call.cancel();
  await until('there is room again', async () => (await get(served.admin, '/readyz')).status === 200);
  t.notOk(honest.hasEnded());
});

t.test('the control: without that they end the process', async (t) => {
  const { served, honest } = await askForMore(t, {
    file: 'cli/serve.ts',
    from: 'heap: watchHeap(),',
    to: '',
  });
  const { code, signal } = await served.exit;
  t.ok(signal === 'SIGABRT' || signal === 'SIGTRAP' || (code ?? 0) > 128, `${code} ${signal}`);
  t.match(served.log(), /heap out of memory|heap limit/i);
  t.match(await honest.ended, /./);
});
