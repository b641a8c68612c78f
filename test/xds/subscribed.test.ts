import t from 'tap';
import { createXdsServer } from '../../src/xds/xds.ts';
import { connectXds, typeUrl } from '../support/clients/xds-client.ts';

t.test('what is applied when a stream first asks for a type is in the answer', async (t) => {
  const told: string[] = [];
  const server = createXdsServer({
    onSubscribed({ stream, typeUrl: url, names }) {
      told.push(`${stream.node.id} ${url.split('.').at(-1)} ${['a', 'b'].filter(names)}`);
      if (names('b')) server.upsert('n', [{ '@type': typeUrl('RDS'), ...{ name: 'b' } }]);
    },
  });
  t.teardown(() => server.close(0));
  server.upsert('n', []);
  const client = connectXds(`127.0.0.1:${await server.listen('127.0.0.1:0')}`, 'delta', { id: 'n' });
  t.teardown(() => client.close());
  client.send('RDS', { resource_names_subscribe: ['b'] });
  const answer = await client.next();
  t.match(JSON.stringify(answer.resources), /"name":"b"/);
  t.ok(server.isSubscribed('n', typeUrl('RDS'), 'b'));
  t.notOk(server.isSubscribed('n', typeUrl('RDS'), 'a'));
  client.ack(answer);
  client.send('RDS', { resource_names_subscribe: ['a'] });
  await client.next();
  client.send('SRDS', {});
  await client.next();
  t.strictSame(told, ['n RouteConfiguration b', 'n ScopedRouteConfiguration a,b'], 'once for each type');
  t.ok(server.isSubscribed('n', typeUrl('SRDS'), 'whatever'), 'with all');
});

t.test('what is applied when a stream is moved is part of the move', async (t) => {
  const table = (of: string) => [{ '@type': typeUrl('RDS'), name: 'old', response_headers_to_remove: [of] }];
  const told: string[] = [];
  const server = createXdsServer({
    classOf: () => 'one',
    onSubscribed({ stream: { nodeClass }, typeUrl: url, names }) {
      told.push(`${nodeClass} ${url.split('.').at(-1)}`);
      // One class has it only while a stream asks for it.
      if (url === typeUrl('RDS') && names('old')) server.upsert(nodeClass, table(nodeClass));
    },
  });
  t.teardown(() => server.close(0));
  for (const nodeClass of ['one', 'two']) server.upsert(nodeClass, []);
  const client = connectXds(`127.0.0.1:${await server.listen('127.0.0.1:0')}`, 'delta', { id: 'n' });
  t.teardown(() => client.close());
  client.send('CDS', {});
  client.ack(await client.next());
  client.send('RDS', { resource_names_subscribe: ['old'] });
  client.ack(await client.next());
  const [stream] = server.status();
  const { revision } = server.move([stream?.id ?? 0], 'two');
  t.strictSame(told, ['one Cluster', 'one RouteConfiguration', 'two Cluster', 'two RouteConfiguration']);
  const moved = await client.next();
  t.match(JSON.stringify(moved.resources), /"response_headers_to_remove":\["two"\]/);
  t.strictSame(moved.removed_resources ?? [], [], 'and it was not missing in between');
  t.notOk(server.isConfirmed(revision));
  client.ack(moved);
  while (!server.isConfirmed(revision)) await new Promise((resolve) => setTimeout(resolve, 2));
  t.equal(client.waiting(), 0);
});
