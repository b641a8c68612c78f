import t from 'tap';
import {
  decideTrail,
  guardedListeners,
  hopLimitMax,
  parseTrail,
  refusalStatus,
  trailCounters,
  visitedSet,
} from '../../src/model/trail.ts';
import { spoofs, trailCases } from '../wasm/table.ts';

const policy = {
  idc: 'sh-b',
  peers: ['sh-a', 'bj-a'],
  hopLimit: 2,
  listener: 'ingress-peer',
  enforce: true,
} as const;

for (const { name, policy, lines, pass, refuse, counter } of trailCases()) {
  t.test(name, async (t) => {
    const verdict = decideTrail(policy, lines);
    t.equal(verdict.counter, counter);
    if (verdict.action === 'pass') t.same({ trail: verdict.trail, visited: verdict.visited }, pass);
    else
      t.same({ status: refusalStatus(policy.listener, verdict.outcome), outcome: verdict.outcome }, refuse);
  });
}

t.test('the table has every listener, every outcome and every counter', async (t) => {
  const cases = trailCases();
  t.same(new Set(cases.map(({ policy }) => policy.listener)), new Set(guardedListeners));
  t.same(
    new Set(cases.map(({ refuse }) => refuse?.outcome)),
    new Set([undefined, 'loop', 'hop-limit', 'malformed']),
  );
  const counted = new Set(cases.map(({ counter }) => counter?.replace(/\.peer\.[^.]+\./, '')));
  for (const listener of guardedListeners) {
    for (const counter of trailCounters({ ...policy, listener })) {
      t.ok(counted.has(counter.replace(/\.peer\.[^.]+\./, '')), counter);
    }
  }
});

t.test('the table has every way to spoof at every listener', async (t) => {
  const rows = new Set(trailCases().map(({ policy, spoof }) => `${policy.listener} ${spoof}`));
  for (const listener of guardedListeners)
    for (const spoof of spoofs) t.ok(rows.has(`${listener} ${spoof}`), `${spoof} at ${listener}`);
});

t.test('a trail is a list of IDC names', async (t) => {
  t.same(parseTrail('sh-a,bj-a'), ['sh-a', 'bj-a']);
  t.same(parseTrail('a'), ['a']);
  for (const value of [
    '',
    ',',
    'sh-a,',
    ',sh-a',
    'sh-a, bj-a',
    'sh_a',
    '-',
    'Sh-a',
    'sh-a\n',
    `${'a,'.repeat(256)}a`,
  ]) {
    t.equal(parseTrail(value), undefined, JSON.stringify(value).slice(0, 40));
  }
});

t.test('the set of visited IDCs does not depend on their order', async (t) => {
  t.equal(visitedSet(policy, ['sh-b', 'bj-a']), 'bj-a,sh-b');
  t.equal(visitedSet(policy, ['bj-a', 'sh-b', 'bj-a']), 'bj-a,sh-b');
  t.equal(visitedSet(policy, ['bj-a', 'gz-a', 'sh-b']), '_unknown');
});

t.test(
  'whatever the routes do, no request enters an IDC twice or crosses more often than the limit',
  async (t) => {
    const idcs = ['a', 'b', 'c', 'd'];
    for (let hopLimit = 0; hopLimit <= hopLimitMax; hopLimit++) {
      const peersOf = (idc: string) => idcs.filter((other) => other !== idc);
      let longest = 0;
      // Walks every way that a request could be sent, as far as the peer listeners let it.
      const walk = (trail: string, crossings: number) => {
        longest = Math.max(longest, crossings);
        const names = trail.split(',');
        if (new Set(names).size !== names.length) t.fail(`${trail} visits an IDC twice`);
        for (const idc of idcs) {
          const verdict = decideTrail({ ...policy, idc, peers: peersOf(idc), hopLimit }, [trail]);
          if (verdict.action === 'pass') walk(verdict.trail, crossings + 1);
        }
      };
      for (const idc of idcs) walk(idc, 0);
      t.equal(longest, Math.min(hopLimit, idcs.length - 1), `hop limit ${hopLimit}`);
    }
  },
);
