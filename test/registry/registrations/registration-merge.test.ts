import t from 'tap';
import type { LeaseState } from '../../../src/registry/registrations/lease-clock.ts';
import type { Registration } from '../../../src/registry/registrations/registration.ts';
import {
  type MergeContext,
  mergeAbsence,
  mergeRegistrations,
} from '../../../src/registry/registrations/registration-merge.ts';

const spec = { address: '10.0.0.1', ports: { http: 80 }, labels: { app: 'checkout' } };

/** `ready 5`, `leaving expired 5`, `draining 5 edit 2`, `ready 5 known to me`. */
function life(words: string | undefined): Registration | undefined {
  if (words === undefined) return undefined;
  const [, state, expired, generation, , edit, , knownTo] =
    /^(\w+) (expired )?(\d+)( edit (\d+))?( known to (\w+))?$/.exec(words) ?? [];
  return {
    ...{ namespace: 'shop', name: 'a', generation: Number(generation), ttlMs: 15_000, spec },
    ...{ state: state as Registration['state'], expired: expired !== undefined },
    ...{ edit: Number(edit ?? 0), knownTo: knownTo === undefined ? [] : [knownTo] },
  };
}

function words(registration: Registration | undefined): string {
  if (registration === undefined) return 'nothing';
  const { state, expired, generation } = registration;
  return `${state} ${expired ? 'expired ' : ''}${generation}`;
}

const context = (theirLease: LeaseState, more: Partial<MergeContext> = {}): MergeContext => ({
  ...{ self: 'me', from: 'peer', theirLease, runsElsewhere: false, isFree: false },
  ...more,
});

// What stands here, what the other tells, its lease there, what comes of it.
const table: readonly [string, string | undefined, string, LeaseState, string, Partial<MergeContext>?][] = [
  ['what is not here is taken over', undefined, 'ready 5', 'running', 'ready 5'],
  ['also from one that has just started', undefined, 'ready 5', 'unsure', 'ready 5'],
  ['but not what has gone from here', undefined, 'ready 5 known to me', 'unsure', 'nothing'],
  ['unless its lease runs', undefined, 'ready 5 known to me', 'running', 'ready 5'],
  ['a deregistration of what is not here is remembered', undefined, 'leaving 5', 'none', 'gone 5'],
  ['a lease that ran out there, of what is not here', undefined, 'leaving expired 5', 'none', 'nothing'],
  ['a newer life takes over', 'ready 5', 'ready 6', 'running', 'ready 6'],
  ['an older life does not', 'ready 6', 'ready 5', 'running', 'ready 6'],
  ['nor its deregistration', 'ready 6', 'gone 5', 'none', 'ready 6'],
  ['a newer life that has gone takes the older one along', 'ready 5', 'gone 6', 'none', 'leaving 6'],
  ['so does one whose lease ran out', 'ready 5', 'leaving expired 6', 'none', 'leaving expired 6'],
  ['a deregistration counts', 'ready 5', 'gone 5', 'none', 'leaving 5'],
  ['also while the lease runs here', 'ready 5', 'leaving 5', 'none', 'leaving 5', { runsElsewhere: true }],
  ['what has deregistered here does not come back', 'gone 5', 'ready 5', 'running', 'gone 5'],
  ['nor while it leaves', 'leaving 5', 'ready 5', 'running', 'leaving 5'],
  [
    'a drained instance that no proxy has is gone at once',
    'draining 5',
    'gone 5',
    'none',
    'gone 5',
    { isFree: true },
  ],
  ['a lease that ran out there', 'ready 5', 'leaving expired 5', 'none', 'leaving expired 5'],
  ['but runs somewhere', 'ready 5', 'leaving expired 5', 'none', 'ready 5', { runsElsewhere: true }],
  ['a lease that ran out here, but runs there', 'leaving expired 5', 'ready 5', 'running', 'ready 5'],
  ['or may run there', 'leaving expired 5', 'ready 5', 'unsure', 'leaving expired 5'],
  ['a drain', 'ready 5', 'draining 5 edit 1', 'running', 'draining 5'],
  ['the end of a drain', 'draining 5 edit 1', 'ready 5 edit 2', 'running', 'ready 5'],
  ['an older record of the same life', 'draining 5 edit 1', 'ready 5', 'running', 'draining 5'],
];

for (const [name, ours, theirs, theirLease, expected, more] of table) {
  t.test(name, async (t) => {
    const merged = mergeRegistrations(life(ours), life(theirs) as Registration, context(theirLease, more));
    t.equal(words(merged), expected);
    // Told again, it changes nothing.
    t.equal(mergeRegistrations(merged, life(theirs) as Registration, context(theirLease, more)), merged);
  });
}

t.test(
  'what another control plane lacks goes only where it had it, and its lease runs nowhere',
  async (t) => {
    const absent = { from: 'peer', runsElsewhere: false };
    t.equal(words(mergeAbsence(life('ready 5 known to peer') as Registration, absent)), 'leaving expired 5');
    const never = life('ready 5 known to third') as Registration;
    t.equal(mergeAbsence(never, absent), never);
    const runs = life('ready 5 known to peer') as Registration;
    t.equal(mergeAbsence(runs, { ...absent, runsElsewhere: true }), runs);
    const gone = life('gone 5 known to peer') as Registration;
    t.equal(mergeAbsence(gone, absent), gone);
  },
);

t.test('replicas of a registration converge, whatever the order', async (t) => {
  const states = [
    'ready 5',
    'draining 5',
    'ready 5 edit 1',
    'draining 5 edit 2',
    'leaving 5',
    'gone 5',
    'ready 6',
  ];
  for (const one of states)
    for (const other of states) {
      let [a, b] = [life(one), life(other)];
      for (let round = 0; round < 2; round += 1) {
        a = mergeRegistrations(a, b as Registration, { ...context('running'), self: 'a', from: 'b' });
        b = mergeRegistrations(b, a as Registration, { ...context('running'), self: 'b', from: 'a' });
      }
      const said = (is: Registration | undefined) => words(is).replace(/gone|leaving/, 'left');
      t.equal(said(a), said(b), `${one}, ${other}`);
    }
});
