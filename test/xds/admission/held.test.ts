import t from 'tap';
import { createXdsServer } from '../../../src/xds/xds.ts';
import { deltaRequest, methods, namesOf, nodeOf, openHttp2 } from '../../support/attacks/call.ts';
import { typeUrl } from '../../support/clients/xds-client.ts';
import { until } from '../../support/mesh.ts';

const longName = 'n'.repeat(40);

t.test('waiting whole messages are counted, and the largest is ended first', async (t) => {
  const server = createXdsServer({
    classOf: () => 'k',
    limits: {
      // Whoever asks for much waits for minutes.
      pace: { allBurstMs: 0, allShare: 1e-6, littleBytes: 1_024, idleShare: 0 },
      intake: { allBytesMax: 2 * 2 ** 20 },
    },
  });
  const clusters = [{ '@type': typeUrl('CDS'), name: 'c', type: 'EDS' }];
  server.upsert('k', clusters);
  const at = { address: '127.0.0.1', port: await server.listen('127.0.0.1:0') };
  t.teardown(() => server.close(100));
  const heldBytes = () => server.levels()[0]?.unfinishedBytes ?? 0;
  const ask = async (id: string, names: number) => {
    const client = openHttp2(at);
    t.teardown(() => client.close());
    const call = client.call(methods.delta);
    const request = deltaRequest({
      node: nodeOf(id, {}),
      type: typeUrl('EDS'),
      names: namesOf(names, longName + id),
    });
    await call.send(request);
    return { ended: call.ended, hasEnded: call.hasEnded, bytes: request.length };
  };
  const first = await ask('first', 10_000);
  const second = await ask('second', 16_000);
  await until('both have come whole', () => heldBytes() >= first.bytes + second.bytes);
  const third = await ask('third', 14_000);
  t.match(
    await second.ended,
    /^status 8: too many bytes of messages are unfinished or wait for processing: all clients have more/,
  );
  await until('the third has come whole', () => heldBytes() >= first.bytes + third.bytes);
  t.notOk(first.hasEnded() || third.hasEnded());
});
