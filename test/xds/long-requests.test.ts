import t from 'tap';
import { createXdsServer } from '../../src/xds/xds.ts';
import { deltaRequest, methods, namesOf, nodeOf, openHttp2 } from '../support/attacks/call.ts';
import { typeUrl } from '../support/clients/xds-client.ts';
import { watchLoopTurns } from '../support/loop-turns.ts';
import { until } from '../support/mesh.ts';

const type = typeUrl('EDS');
const resources = [
  { '@type': typeUrl('CDS'), name: 'name-1', type: 'EDS' },
  { '@type': type, cluster_name: 'name-1', endpoints: [] },
];

/**
 * The longest turn of the event loop while a client asks for 100,000 names and is answered, the least of some
 * rounds, in ms of CPU.
 */
async function longestMs(sliceMs: number): Promise<number> {
  const server = createXdsServer({ classOf: () => 'k', limits: { pace: { sliceMs, allBurstMs: 1e9 } } });
  server.upsert('k', resources);
  const at = { address: '127.0.0.1', port: await server.listen('127.0.0.1:0') };
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round += 1) {
    const client = openHttp2(at);
    const call = client.call(methods.delta);
    const request = deltaRequest({ node: nodeOf('a', {}), type, names: namesOf(100_000, `name-${round}`) });
    let bytes = 0;
    call.onMessage((message) => {
      bytes += message.length;
    });
    const turns = watchLoopTurns();
    void call.send(request);
    await until('it is answered', async () => bytes > 1_000_000);
    least = Math.min(least, turns.stop());
    client.close();
  }
  await server.close(100);
  return least;
}

t.test('a request of 100,000 names takes no long turn of the event loop; at once it does', async (t) => {
  const [sliced, atOnce] = [await longestMs(2), await longestMs(1e9)];
  t.comment(`${sliced} ms, ${atOnce} ms at once`);
  t.ok(sliced < atOnce / 2, `${sliced} ms, ${atOnce} ms at once`);
});
