import { EventEmitter } from 'node:events';
import type { ServerHttp2Session } from 'node:http2';
import t, { type Test } from 'tap';
import { sleep, systemClock } from '../../../src/base/clock.ts';
import { ConnectionAges } from '../../../src/xds/transport/connection-age.ts';
import { createXdsServer } from '../../../src/xds/xds.ts';
import { connectXds } from '../../support/clients/xds-client.ts';
import { manualClock } from '../../support/manual-clock.ts';

const newSession = () =>
  Object.assign(new EventEmitter(), { destroyed: false }) as never as ServerHttp2Session;

t.test('each connection ends between half of the age and all of it', (t) => {
  const clock = manualClock();
  const draws = [0, 0.5, 0.999];
  const ended: number[] = [];
  const ages = new ConnectionAges({ clock, random: () => draws.shift() ?? 0, maxMs: 60_000 }, () => {
    ended.push(clock.now());
  });
  for (const session of [newSession(), newSession(), newSession()]) {
    ages.used(session);
    // Its second stream draws no other age.
    ages.used(session);
  }
  clock.pass(120_000);
  t.same(ended, [30_000, 45_000, 59_970]);
  t.end();
});

t.test('one that has ended before leaves nothing behind', (t) => {
  const clock = manualClock();
  const ages = new ConnectionAges({ clock, random: () => 0, maxMs: 60_000 }, () => t.fail('it has ended'));
  const session = newSession();
  ages.used(session);
  session.emit('close');
  t.equal(clock.pending, 0);
  clock.pass(60_000);
  t.end();
});

const cluster = { '@type': 'type.googleapis.com/envoy.config.cluster.v3.Cluster', name: 'a' };

/** A client that has been answered; how its stream ends. */
async function connect(t: Test, more: { readonly connectionAgeMsMax?: number }) {
  const server = createXdsServer({ classOf: () => 'all', ...more });
  t.teardown(() => server.close(0));
  server.upsert('all', [cluster]);
  const port = await server.listen('127.0.0.1:0');
  const client = connectXds(`127.0.0.1:${port}`, 'delta', { id: 'c' });
  t.teardown(() => client.close());
  client.send('CDS', { resource_names_subscribe: ['*'] });
  client.ack(await client.next());
  return { ended: client.ended };
}

t.test('a real one ends with its streams, and says why; the control: without an age it stays', async (t) => {
  const stays = await connect(t, {});
  const ends = await connect(t, { connectionAgeMsMax: 200 });
  const words = 'this connection has reached its age: connect again, to any server';
  t.match(await ends.ended, { code: 14, details: words });
  const later = sleep(systemClock, 200).then(() => 'it stays');
  t.equal(await Promise.race([stays.ended, later]), 'it stays');
});

t.test('an age is above 0', (t) => {
  for (const connectionAgeMsMax of [0, -1, Number.NaN])
    t.throws(() => createXdsServer({ connectionAgeMsMax }), /above 0/);
  t.end();
});
