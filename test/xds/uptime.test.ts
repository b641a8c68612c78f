import t, { type Test } from 'tap';
import { eds, story } from './story.ts';

/** Sets a number of the hub's, as if it had run for so long. */
function age(hub: object, field: 'lastRevision' | 'lastSequence', value: number): void {
  const aged = hub as Record<string, number>;
  if (typeof aged[field] !== 'number') throw new Error(`the hub has no ${field}`);
  aged[field] = value;
}

async function goesOn(
  t: Test,
  protocol: 'delta' | 'sotw',
  field: 'lastRevision' | 'lastSequence',
  near: number,
) {
  const s = story();
  await s.apply([eds('a', 'v0')]);
  const envoy = s.connect(protocol);
  envoy.send('EDS', protocol === 'delta' ? { resource_names_subscribe: ['a'] } : { resource_names: ['a'] });
  t.equal(envoy.got().length, 1);
  if (protocol === 'delta') envoy.ack('EDS');
  else envoy.ask('EDS', 'a');
  age(s.hub, field, near - 3);
  for (let i = 1; i <= 6; i += 1) {
    const { revision } = await s.apply([eds('a', `v${i}`)]);
    t.equal(envoy.got().length, 1, `change ${i} is sent`);
    t.notOk(s.hub.isConfirmed({ revision }));
    if (protocol === 'delta') envoy.ack('EDS');
    else envoy.ask('EDS', 'a');
    t.ok(s.hub.isConfirmed({ revision }), 'and confirmed');
  }
  t.equal(new Set(s.acks.map(({ nonce }) => nonce)).size, 7, 'no nonce twice');
}

for (const protocol of ['delta', 'sotw'] as const)
  for (const field of ['lastRevision', 'lastSequence'] as const)
    for (const bits of [31, 32, 40])
      t.test(`${protocol}: ${field} goes past 2^${bits}`, (t) => goesOn(t, protocol, field, 2 ** bits));
