import t from 'tap';
import { encodeResource, type ResourceJson } from '../../src/xds/codec/codec.ts';
import { finish } from '../../src/xds/slices.ts';
import { NameSets } from '../../src/xds/state/name-sets.ts';
import { field } from '../../src/xds/wire/varint.ts';
import { buffered } from '../support/buffered.ts';
import { rds, story } from './story.ts';

const long = 8 * 2 ** 20;

for (const protocol of ['sotw', 'delta'] as const)
  t.test(`${protocol}: a long resource is held once when all have ACKed it`, async (t) => {
    const before = await buffered();
    const s = story();
    await s.apply([rds('r', protocol.charAt(0).repeat(long))]);
    const envoys = [1, 2, 3].map(() => s.connect(protocol));
    for (const envoy of envoys) {
      envoy.send(
        'RDS',
        protocol === 'sotw' ? { resource_names: ['r'] } : { resource_names_subscribe: ['r'] },
      );
      t.equal(envoy.got().length, 1, 'sent');
    }
    t.equal(s.hub.stats.responsesBuilt, 1, 'one response for all while it is under way');
    const underWay = (await buffered()) - before;
    t.ok(
      underWay < 2.5 * long,
      `the resource and the response: ${(underWay / long).toFixed(2)} times its length`,
    );
    for (const envoy of envoys)
      if (protocol === 'delta') envoy.ack('RDS');
      else envoy.ask('RDS', 'r');
    const after = (await buffered()) - before;
    t.ok(
      after > 0.9 * long && after < 1.5 * long,
      `the resource: ${(after / long).toFixed(2)} times its length`,
    );
    const late = s.connect(protocol);
    late.send('RDS', protocol === 'sotw' ? { resource_names: ['r'] } : { resource_names_subscribe: ['r'] });
    t.same(late.got().length, 1, 'who comes later is sent it all the same');
  });

t.test('parsed names keep only their own memory alive', async (t) => {
  const count = 2_000;
  const sets = new NameSets();
  const kept: object[] = [];
  const before = await buffered();
  for (let i = 0; i < count; i += 1) {
    kept.push(finish(sets.read(field(3, `name-${i}`))));
    // What else a process does with small buffers: two of these fill what they share.
    Buffer.from('x'.repeat(4_000));
  }
  const each = ((await buffered()) - before) / count;
  t.equal(new Set(kept).size, count);
  t.ok(each < 500, `${Math.round(each)} bytes for each set of one name`);
});

const assignment = (name: string, content: string): ResourceJson => ({
  '@type': 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  ...{ cluster_name: name, endpoints: [{ locality: { zone: content } }] },
});

t.test('a resource keeps only its own memory alive, and earlier contents none', async (t) => {
  const count = 500;
  const before = await buffered();
  const kept = new Map<string, object>();
  for (let i = 0; i < count; i += 1) {
    const name = `r${i}`;
    // As in a process in which each changes now and then, among others.
    for (let change = 0; change < 60; change += 1) {
      const encoded = encodeResource(assignment(name, `${change}`.repeat(50)));
      kept.set(name, encoded);
    }
    const again = encodeResource(assignment(name, '59'.repeat(50)));
    if (again !== kept.get(name)) t.fail('equal contents are one');
  }
  const each = ((await buffered()) - before) / count;
  t.equal(kept.size, count);
  t.ok(each < 1_000, `${Math.round(each)} bytes for each`);
});

t.test('a sent resource keeps only its own memory alive', async (t) => {
  const count = 300;
  const s = story();
  await s.apply([]);
  const envoy = s.connect('delta');
  const before = await buffered();
  for (let i = 0; i < count; i += 1) {
    await s.apply([rds(`r${i}`, `content ${i}`)]);
    envoy.send('RDS', { resource_names_subscribe: [`r${i}`] });
    if (envoy.got().length !== 1) t.fail('it is sent');
    envoy.ack('RDS');
    // What else a process does with small buffers.
    for (let other = 0; other < 20; other += 1) Buffer.from('x'.repeat(4_000));
  }
  const each = ((await buffered()) - before) / count;
  t.ok(each < 2_000, `${Math.round(each)} bytes for each`);
});
