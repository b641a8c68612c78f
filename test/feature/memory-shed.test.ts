import t, { type Test } from 'tap';
import { clusterType, endpointType } from '../../src/xds/resource-types.ts';
import { deltaRequest, methods, namesOf, nodeOf, openHttp2, type RawCall } from '../support/attacks/call.ts';
import { connectXds, type XdsClient } from '../support/clients/xds-client.ts';
import { get, until } from '../support/mesh.ts';
import { groupYaml } from '../support/objects-yaml.ts';
import { type Replacement, type Served, startServe, takeAway, without } from '../support/planes/served.ts';

const metadata = { isthmus: { role: 'sidecar', idc: 'sh-a', namespace: 'shop' } };
const clientsMax = 240;

/**
 * A control plane with a small heap; clients fill it, one by one, each with names of its own, until one is
 * refused or all are there.
 */
async function fill(t: Test, ...off: Replacement[]) {
  const served: Served = await startServe({
    node: ['--max-old-space-size=128', '--import', without],
    env: takeAway(...off),
  });
  t.teardown(() => served.close());
  await served.ready();
  const clients: XdsClient[] = [];
  t.teardown(() => {
    for (const client of clients) client.close();
  });
  const refusals: { code: number; details: string }[] = [];
  for (let i = 0; i < clientsMax && refusals.length === 0; i += 1) {
    const client = connectXds(`127.0.0.1:${served.xds.port}`, 'delta', { id: `greedy-${i}`, metadata });
    clients.push(client);
    // A stream that is read late, as names are dear, may end for that.
    void client.ended.then(({ code, details }) => {
      if (/^memory is/.test(details)) refusals.push({ code, details });
    });
    const names = Array.from({ length: 20_000 }, (_, j) => `${i}-${j}-${'x'.repeat(60)}`);
    client.send(clusterType, { resource_names_subscribe: ['*'] });
    client.send(endpointType, { resource_names_subscribe: names });
    await Promise.race([client.next().catch(() => {}), client.ended, served.exit]);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return { served, clients, refusals };
}

t.test('before its heap is full new streams are refused, and existing ones are served', async (t) => {
  const soon = { file: 'plane/memory.ts', from: 'collect: 30_000', to: 'collect: 1_000' };
  const { served, clients, refusals } = await fill(t, soon);
  t.match(refusals[0], { code: 8, details: /^memory is nearly full: \d+ of \d+ MiB/ });
  t.comment(`${clients.length} clients: ${refusals[0]?.details}`);
  t.match(await get(served.admin, '/readyz'), { status: 503, body: /memory is nearly full/ });
  t.match(await served.page('/metrics'), /isthmus_memory_shedding\{[^}]*\} 1/);
  for (const client of clients) client.close();
  await until('there is room again', async () => (await get(served.admin, '/readyz')).status === 200);
  const late = connectXds(`127.0.0.1:${served.xds.port}`, 'delta', { id: 'late', metadata });
  t.teardown(() => late.close());
  late.send(clusterType, { resource_names_subscribe: ['*'] });
  t.equal((await late.next()).type_url, clusterType);
});

t.test('without that the process dies', async (t) => {
  const { served, refusals } = await fill(t, { file: 'cli/serve.ts', from: 'heap: watchHeap(),', to: '' });
  const { code, signal } = await Promise.race([
    served.exit,
    new Promise<{ code: number; signal: string }>((resolve) =>
      setTimeout(() => resolve({ code: 0, signal: 'it lives' }), 20_000),
    ),
  ]);
  t.ok(signal === 'SIGABRT' || signal === 'SIGTRAP' || (code ?? 0) > 128, `${code} ${signal}`);
  t.match(served.log(), /heap out of memory|heap limit/i);
  t.notOk(refusals.some(({ code }) => code === 8));
});

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

/** One address brings nodes of ever more kinds to a small heap; a proxy elsewhere looks on. */
async function bringKinds(t: Test, ...off: Replacement[]) {
  const files = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`g${i}.yaml`, groupYaml(`g${i}`)]));
  const served = await startServe({
    ...{ files, node: ['--max-old-space-size=160', '--import', without], env: takeAway(...off) },
  });
  t.teardown(() => served.close());
  await served.ready();
  const honest = connectXds(`127.0.0.1:${served.xds.port}`, 'delta', { id: 'honest', metadata });
  t.teardown(() => honest.close());
  honest.send(clusterType, { resource_names_subscribe: ['*'] });
  honest.ack(await honest.next());
  let [isEnded, isOver] = [false, false];
  void honest.ended.then(() => {
    isEnded = true;
  });
  void served.exit.then(() => {
    isOver = true;
  });
  const ends: string[] = [];
  const isTold = () =>
    ends.some((end) => /kinds/.test(end)) || ends.filter((end) => /full/.test(end)).length > 64;
  for (let i = 0; i < 150 && !isOver && !isTold(); i++) {
    const connection = openHttp2(served.xds, '127.0.0.2');
    t.teardown(() => connection.close());
    const calls: RawCall[] = [];
    for (let k = 0; k < 16; k++) {
      const outbound = { address: '127.0.0.1', port: 1_000 + i * 16 + k };
      const scope = { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound };
      const call = connection.call(methods.delta);
      calls.push(call);
      void call.ended.then((end) => ends.push(end));
      await call.send(deltaRequest({ node: nodeOf(`kind-${i}-${k}`, scope), names: ['*'] }));
    }
    // A busy machine takes its time for each kind.
    const isServed = () => calls.every((call) => call.hasAnswer() || call.hasEnded());
    for (let n = 0; n < 100 && !isServed(); n++) await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { served, ends: [...new Set(ends)], isEnded: () => isEnded, isOver: () => isOver };
}

// They come no faster than the pace lets them: what is nearly full is brought nearer.
const sooner = { file: 'plane/memory.ts', from: 'refuse: 0.85', to: 'refuse: 0.55' };

t.test('a client with nodes of hundreds of classes loses them', { timeout: 180_000 }, async (t) => {
  const { ends, isEnded, isOver } = await bringKinds(t, sooner);
  const words =
    /^status 8: memory is nearly full: .*, and this address has nodes of \d+ kinds that no other has/;
  t.match(
    ends.find((end) => /kinds/.test(end)),
    words,
  );
  t.notOk(isOver(), 'the process goes on');
  t.notOk(isEnded(), 'and so does who has one');
});

t.test('the control: without that they are only refused more', { timeout: 180_000 }, async (t) => {
  const { ends } = await bringKinds(t, sooner, {
    file: 'xds/admission/shed.ts',
    from: 'manyKinds = 64',
    to: 'manyKinds = 1e9',
  });
  t.notOk(ends.some((end) => /kinds/.test(end)));
  t.ok(
    ends.some((end) => /^status 8: memory is nearly full/.test(end)),
    `${ends}`,
  );
});
