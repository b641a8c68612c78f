import t from 'tap';
import { createXdsServer, MeshError, type ResourceJson } from '../../../src/xds/xds.ts';
import { connectXds, typeUrl } from '../../support/clients/xds-client.ts';

const cluster = (name: string) => ({ '@type': typeUrl('CDS'), name }) as ResourceJson;

t.test('a stream is moved only to a class that its node may have', async (t) => {
  const server = createXdsServer({
    classOf: () => 'plain',
    admits(node, _peer, nodeClass) {
      if (nodeClass === 'secret' && node.id !== 'trusted') throw new MeshError('forbidden', 'not yours');
    },
  });
  for (const name of ['plain', 'secret']) server.upsert(name, [cluster(name)]);
  const port = await server.listen('127.0.0.1:0');
  const clients = ['trusted', 'other'].map((id) => connectXds(`127.0.0.1:${port}`, 'delta', { id }));
  t.teardown(async () => {
    for (const client of clients) client.close();
    await server.close();
  });
  for (const client of clients) {
    client.send('CDS', { resource_names_subscribe: ['*'] });
    const answer = await client.next();
    t.match(answer, { resources: [{ name: 'plain' }] });
    client.ack(answer);
  }
  const idOf = (id: string) => server.status().find(({ node }) => node.id === id)?.id ?? 0;
  const moved = server.move(['trusted', 'other'].map(idOf), 'secret');
  t.match(moved, { streams: 1, refused: [idOf('other')] });
  t.match(await clients[0]?.next(), { resources: [{ name: 'secret' }] });
  t.match(
    server.status().find(({ node }) => node.id === 'other'),
    { nodeClass: 'plain' },
  );
  server.end([idOf('other')], new MeshError('forbidden', 'over'));
  t.match(await clients[1]?.ended, { code: 7, details: 'over' });
});
