import t, { type Test } from 'tap';
import { clusterType } from '../../src/xds/resource-types.ts';
import { deltaRequest, methods, nodeOf, openHttp2, type RawCall } from '../support/attacks/call.ts';
import { connectXds } from '../support/clients/xds-client.ts';
import { groupYaml } from '../support/objects-yaml.ts';
import { type Replacement, startServe, takeAway, without } from '../support/planes/served.ts';

const metadata = { isthmus: { role: 'sidecar', idc: 'sh-a', namespace: 'shop' } };

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
    ends.some((end) => /node classes/.test(end)) || ends.filter((end) => /full/.test(end)).length > 64;
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
    /^status 8: memory is nearly full: .*, and this address has \d+ node classes that no other has/;
  t.match(
    ends.find((end) => /node classes/.test(end)),
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
  t.notOk(ends.some((end) => /node classes/.test(end)));
  t.ok(
    ends.some((end) => /^status 8: memory is nearly full/.test(end)),
    `${ends}`,
  );
});
