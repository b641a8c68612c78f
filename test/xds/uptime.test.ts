import t, { type Test } from 'tap';
import { eds, story } from './story.ts';

async function goesOn(t: Test, protocol: 'delta' | 'sotw', counter: 'changes' | 'responses', near: number) {
  // What it has counted so far, as if it had run for so long; responses are numbered from a random start.
  const s = counter === 'changes' ? story({}, true, 0.5, near - 4) : story({}, true, (near - 4) / 2 ** 30);
  await s.apply([eds('a', 'v0')]);
  const envoy = s.connect(protocol);
  envoy.send('EDS', protocol === 'delta' ? { resource_names_subscribe: ['a'] } : { resource_names: ['a'] });
  t.equal(envoy.got().length, 1);
  if (protocol === 'delta') envoy.ack('EDS');
  else envoy.ask('EDS', 'a');
  for (let i = 1; i <= 6; i += 1) {
    const { revision } = await s.apply([eds('a', `v${i}`)]);
    t.equal(envoy.got().length, 1, `change ${i} is sent`);
    t.notOk(s.hub.isConfirmed({ revision }));
    if (protocol === 'delta') envoy.ack('EDS');
    else envoy.ask('EDS', 'a');
    t.ok(s.hub.isConfirmed({ revision }), 'and confirmed');
  }
  const last = s.acks.at(-1);
  if (counter === 'responses') t.equal(Number.parseInt(last?.nonce ?? '', 36), near + 3);
  else t.ok(s.hub.revision() > near);
  t.equal(new Set(s.acks.map(({ nonce }) => nonce)).size, 7, 'no nonce twice');
}

for (const protocol of ['delta', 'sotw'] as const)
  for (const counter of ['changes', 'responses'] as const)
    for (const bits of [31, 32, 40])
      t.test(`${protocol}: the number of ${counter} goes past 2^${bits}`, (t) =>
        goesOn(t, protocol, counter, 2 ** bits),
      );
