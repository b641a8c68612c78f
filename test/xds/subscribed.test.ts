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
