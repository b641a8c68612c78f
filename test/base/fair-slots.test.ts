import t from 'tap';
import { FairSlots, peerOfAddress, type SlotHolder } from '../../src/base/fair-slots.ts';

/** Places, and who lost one, in order. */
function start(max: number) {
  const ended: string[] = [];
  const slots = new FairSlots<SlotHolder>(max);
  const holder = (peer: string, name = peer, isSettled = false): SlotHolder => ({
    ...{ peer, isSettled: () => isSettled },
    end: () => ended.push(name),
  });
  return { slots, ended, take: (...who: Parameters<typeof holder>) => slots.take(holder(...who)), holder };
}

t.test('one peer may have all places while nobody else wants one', async (t) => {
  const { slots, ended, take } = start(10);
  for (let i = 0; i < 10; i++) t.ok(take('a'));
  t.notOk(take('a'), 'there are no more');
  t.equal(slots.takenBy('a'), 10);
  t.same(ended, []);
});

t.test('others get places, until all have equally many', async (t) => {
  const { slots, ended, take } = start(10);
  for (let i = 0; i < 10; i++) take('a', `a${i}`);
  for (let i = 0; i < 5; i++) t.ok(take('b'));
  t.notOk(take('b'), 'it has as many as the other');
  t.same(ended, ['a9', 'a8', 'a7', 'a6', 'a5'], 'who came last goes first');
  t.ok(take('c'));
  t.same([slots.takenBy('a') + slots.takenBy('b'), slots.takenBy('c'), slots.taken], [9, 1, 10]);
});

t.test('working connections are evicted last, and never between peers with about as many', async (t) => {
  const { ended, take } = start(4);
  take('a', 'idle');
  for (let i = 0; i < 3; i++) take('a', `works ${i}`, true);
  t.ok(take('b'));
  t.same(ended, ['idle']);
  t.notOk(take('b'), '3 and 2: none of those who work is ended for it');
  t.same(ended, ['idle']);
  const more = start(4);
  for (let i = 0; i < 4; i++) more.take('a', `works ${i}`, true);
  t.ok(more.take('b'));
  t.same(more.ended, ['works 3']);
});

t.test('a place is released once', async (t) => {
  const { slots, holder } = start(2);
  const one = holder('a');
  slots.take(one);
  slots.release(one);
  slots.release(one);
  t.equal(slots.taken, 0);
  t.equal(slots.takenBy('a'), 0);
});

t.test('at the limit a peer of many costs no more than one of few', async (t) => {
  const { slots, take } = start(20_000);
  for (let i = 0; i < 20_000; i++) take(`peer ${i}`);
  const begin = performance.now();
  for (let i = 0; i < 20_000; i++) take('peer 7');
  t.ok(performance.now() - begin < 1_000, 'refusing looks through nothing');
  t.equal(slots.taken, 20_000);
});

t.test('an address counts for itself, one of IPv6 for its first 64 bits', async (t) => {
  t.equal(peerOfAddress('10.0.0.1'), '10.0.0.1');
  t.equal(peerOfAddress('::ffff:10.0.0.1'), '10.0.0.1');
  t.equal(peerOfAddress('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64');
  t.equal(peerOfAddress('2001:db8:1:2::9'), '2001:db8:1:2::/64');
  t.equal(peerOfAddress('2001:db8::9'), '2001:db8:0:0::/64');
  t.equal(peerOfAddress('fe80::1%eth0'), 'fe80:0:0:0::/64');
  t.equal(peerOfAddress('::1'), '0:0:0:0::/64');
});
