import t from 'tap';
import type { LogFields } from '../../../src/base/log.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { createDeletionGuard, type Release } from '../../../src/delivery/deletion/guard.ts';
import { manualClock } from '../../support/manual-clock.ts';

const limits = { ackMsMax: 30_000, reconnectMsMax: 15_000 };

/** A guard, and proxies that confirm revisions: `state` is a revision here. */
function setup(answering = true) {
  const clock = manualClock();
  const releases: Release[] = [];
  const warnings: (LogFields & { message: string })[] = [];
  const noted: string[] = [];
  const guard = createDeletionGuard<number>({
    clock,
    logger: { ...silentLogger, warn: (message, fields) => void warnings.push({ message, ...fields }) },
    limits,
    answering,
    onRelease: (release) => void releases.push(release),
    onProxy: (node, isKnown) => void noted.push(`${isKnown ? '+' : '-'}${node}`),
  });
  let ids = 0;
  return {
    clock,
    guard,
    releases,
    warnings,
    /** Proxies that were told: `+` known, `-` gone. */
    noted,
    /** Connects a proxy. */
    connect(node: string) {
      ids += 1;
      const stream = { id: ids, node };
      guard.opened(stream);
      return {
        stream,
        /** It has confirmed up to a revision; `inSync`: and there is nothing newer. */
        confirms(revision: number, inSync = true) {
          const shows = {
            has: (state: number) => state <= revision,
            holdsEndpoints: () => true,
            isInSync: () => inSync,
          };
          guard.confirmed(stream, shows);
        },
        leaves: () => guard.closed(stream),
      };
    },
    released: () => releases.map(({ keys, cause, forgiven }) => ({ keys, cause, forgiven })),
  };
}

t.test('released when the last stream that had it has confirmed, not before', async (t) => {
  const { guard, connect, released, clock } = setup();
  const [a, b, c] = [connect('a'), connect('b'), connect('c')];
  guard.hold(['x'], 5, [a.stream, b.stream]);
  t.strictSame(guard.find('x')?.waitingFor(), ['a', 'b']);
  c.confirms(5);
  a.confirms(4);
  t.strictSame(released(), []);
  a.confirms(5);
  t.strictSame(guard.find('x')?.waitingFor(), ['b']);
  clock.pass(100);
  b.confirms(7);
  t.strictSame(released(), [{ keys: ['x'], cause: 'acked', forgiven: [] }]);
  t.equal(guard.find('x'), undefined);
  t.equal(guard.pending, 0);
});

t.test('nobody had it: released at once', async (t) => {
  const { guard, connect, released } = setup();
  connect('a');
  guard.hold(['x'], 5, []);
  t.strictSame(released(), [{ keys: ['x'], cause: 'acked', forgiven: [] }]);
});

t.test('a proxy that never confirms is given up at the limit, counted, and logged by name', async (t) => {
  const { guard, connect, released, warnings, clock } = setup();
  const [a, b] = [connect('a'), connect('silent')];
  guard.hold(['x'], 5, [a.stream, b.stream]);
  a.confirms(5);
  clock.pass(limits.ackMsMax - 1);
  t.strictSame(released(), []);
  clock.pass(1);
  t.strictSame(released(), [{ keys: ['x'], cause: 'limit', forgiven: ['silent'] }]);
  t.match(warnings, [{ nodes: ['silent'], objects: ['x'] }]);
});

t.test('a disconnected proxy is waited for until it is back and in sync', async (t) => {
  const { guard, connect, released, clock } = setup();
  const a = connect('a');
  a.confirms(4);
  guard.hold(['x'], 5, [a.stream]);
  a.leaves();
  t.strictSame(guard.find('x')?.waitingFor(), ['a']);
  clock.pass(1_000);
  const again = connect('a');
  again.confirms(9, false);
  t.strictSame(released(), [], 'a new stream has shown nothing yet, whatever it has confirmed');
  again.confirms(9, true);
  t.strictSame(released(), [{ keys: ['x'], cause: 'acked', forgiven: [] }]);
});

t.test('a proxy that was away before the deletion is waited for too', async (t) => {
  const { guard, connect, released, clock } = setup();
  const a = connect('a');
  a.confirms(4);
  a.leaves();
  guard.hold(['x'], 5, []);
  t.strictSame(guard.find('x')?.waitingFor(), ['a']);
  const again = connect('a');
  guard.hold(['y'], 6, []);
  t.strictSame(guard.find('y')?.waitingFor(), ['a'], 'and while it is not in sync again');
  again.confirms(6);
  t.same(
    released().map(({ keys }) => keys),
    [['x'], ['y']],
  );
  clock.pass(limits.reconnectMsMax);
  guard.hold(['z'], 7, []);
  t.equal(guard.find('z'), undefined, 'a proxy in sync owes what it is asked for, and no more');
});

t.test('a proxy that does not come back is given up at the limit', async (t) => {
  const { guard, connect, released, warnings, clock } = setup();
  const a = connect('a');
  guard.hold(['x'], 5, [a.stream]);
  clock.pass(10_000);
  a.leaves();
  clock.pass(limits.reconnectMsMax - 1);
  t.strictSame(released(), []);
  clock.pass(1);
  t.strictSame(released(), [{ keys: ['x'], cause: 'disconnected', forgiven: ['a'] }]);
  t.match(warnings, [{ node: 'a' }]);
  guard.hold(['y'], 6, []);
  t.equal(guard.find('y'), undefined, 'and is not waited for again');
});

t.test('a proxy that never had endpoints is not waited for', async (t) => {
  const { guard, connect } = setup();
  connect('bare').leaves();
  guard.hold(['x'], 5, []);
  t.equal(guard.find('x'), undefined);
});

t.test('a second stream of a proxy takes over the debt of the first, which may end late', async (t) => {
  const { guard, connect, released } = setup();
  const old = connect('a');
  old.confirms(4);
  guard.hold(['x'], 5, [old.stream]);
  const young = connect('a');
  young.confirms(5);
  t.strictSame(released(), [], 'the first may still be the one that serves');
  old.leaves();
  t.strictSame(released(), [{ keys: ['x'], cause: 'acked', forgiven: [] }]);
  guard.hold(['y'], 6, []);
  t.equal(guard.find('y'), undefined, 'and nobody is away');
});

t.test('a name that is held again is released once, by the later deletion', async (t) => {
  const { guard, connect, released } = setup();
  const [a, b] = [connect('a'), connect('b')];
  const first = guard.hold(['x'], 5, [a.stream, b.stream]);
  const second = guard.hold(['x'], 7, [a.stream, b.stream]);
  const ended: string[] = [];
  first.whenReleased(() => ended.push('first'));
  second.whenReleased(() => ended.push('second'));
  a.confirms(7);
  b.confirms(5);
  t.strictSame(ended, ['first'], 'who waits for the earlier one is told');
  t.strictSame(released(), [{ keys: [], cause: 'acked', forgiven: [] }], 'but the name is not free yet');
  b.confirms(7);
  t.strictSame(ended, ['first', 'second']);
  t.strictSame(released().at(-1)?.keys, ['x']);
});

t.test('proxies that an earlier life knew are waited for as if they had just gone', async (t) => {
  const { guard, connect, released, clock } = setup();
  guard.expect(['a', 'b']);
  guard.hold(['x'], 5, []);
  connect('a').confirms(5);
  t.strictSame(guard.find('x')?.waitingFor(), ['b']);
  clock.pass(limits.reconnectMsMax);
  t.strictSame(released(), [{ keys: ['x'], cause: 'disconnected', forgiven: ['b'] }]);
});

t.test('a proxy is told of where it is: new, back, come over, moved on, and gone for good', async (t) => {
  const { guard, connect, noted, clock } = setup();
  const take = () => noted.splice(0);
  const a = connect('a');
  t.strictSame(take(), [], 'it may have no endpoints at all');
  a.confirms(1);
  t.strictSame(take(), ['+a']);
  a.leaves();
  t.strictSame(take(), []);
  connect('a');
  t.strictSame(take(), ['+a']);
  guard.expect(['b', 'c']);
  connect('b');
  t.strictSame(take(), ['+b'], 'with the endpoints of another control plane, which are not confirmed here');
  guard.handOver(['c']);
  t.strictSame(take(), ['-c']);
  connect('d').confirms(1);
  connect('e').leaves();
  guard.expect(['f']);
  t.strictSame(take(), ['+d']);
  clock.pass(limits.reconnectMsMax);
  t.strictSame(take(), ['-f']);
});

t.test('settled: nothing that a stream confirms could matter', async (t) => {
  const { guard, connect, clock } = setup();
  const a = connect('a');
  t.equal(guard.isSettled(a.stream), false, 'whether it has endpoints is not known');
  a.confirms(1);
  t.equal(guard.isSettled(a.stream), true);
  guard.hold(['x'], 5, [a.stream]);
  t.equal(guard.isSettled(a.stream), false);
  a.confirms(5);
  t.equal(guard.isSettled(a.stream), true);
  a.leaves();
  t.equal(guard.isSettled(a.stream), true, 'it is no stream any more');
  const back = connect('a');
  back.confirms(5, false);
  t.equal(guard.isSettled(back.stream), false, 'back, and not in sync');
  clock.pass(limits.reconnectMsMax);
  back.confirms(5, false);
  t.equal(guard.isSettled(back.stream), true);
});

t.test('a proxy that came over before its control plane was known to be lost', async (t) => {
  const { guard, connect, noted, released } = setup();
  const a = connect('a');
  guard.expect(['a']);
  t.strictSame(noted, ['+a']);
  // No stream lacks it: this one has not asked for endpoints yet.
  guard.hold(['x'], 5, []);
  t.strictSame(guard.find('x')?.waitingFor(), ['a']);
  a.confirms(5, false);
  t.strictSame(released(), []);
  a.confirms(5);
  t.strictSame(released(), [{ keys: ['x'], cause: 'acked', forgiven: [] }]);
});

t.test('no limit runs while proxies are not answered', async (t) => {
  const { guard, connect, released, clock } = setup(false);
  guard.expect(['a', 'b', 'c']);
  guard.hold(['x'], 5, []);
  clock.pass(120_000);
  const a = connect('a');
  const c = connect('c');
  a.confirms(5, false);
  clock.pass(120_000);
  t.strictSame(guard.find('x')?.waitingFor(), ['a', 'b', 'c']);
  guard.answering();
  a.confirms(5);
  clock.pass(limits.reconnectMsMax);
  t.strictSame(guard.find('x')?.waitingFor(), ['c'], 'who has not come by now is given up');
  c.confirms(5, false);
  t.strictSame(released(), [{ keys: ['x'], cause: 'disconnected', forgiven: ['b'] }]);
});

t.test('a wait without a deletion is for connected proxies, or for those that are away too', async (t) => {
  const { guard, connect } = setup();
  const [a, b] = [connect('a'), connect('b')];
  b.confirms(1);
  b.leaves();
  t.strictSame(guard.wait(5, [a.stream], false).waitingFor(), ['a']);
  t.strictSame(guard.wait(5, [a.stream], true).waitingFor(), ['a', 'b']);
});

t.test(
  'deletions by the thousand behind one stuck proxy end together, and cost each ACK of others nothing',
  async (t) => {
    const { guard, connect, releases, clock } = setup();
    const [quick, stuck] = [connect('quick'), connect('stuck')];
    for (let revision = 1; revision <= 5_000; revision += 1) {
      guard.hold([`x${revision}`], revision, [quick.stream, stuck.stream]);
      quick.confirms(revision);
    }
    t.equal(guard.pending, 5_000);
    clock.pass(limits.ackMsMax);
    t.equal(guard.pending, 0);
    t.equal(releases.length, 5_000);
  },
);

t.test('a proxy at another control plane is not waited for, unless it is connected here too', async (t) => {
  const { guard, connect, released, clock } = setup();
  const [a, b] = [connect('a'), connect('b')];
  for (const one of [a, b]) one.confirms(1);
  a.leaves();
  guard.hold(['x'], 2, [b.stream]);
  t.strictSame(guard.find('x')?.waitingFor(), ['a', 'b']);
  guard.handOver(['a', 'b', 'c']);
  t.strictSame(guard.find('x')?.waitingFor(), ['b'], 'b is connected here');
  b.confirms(2);
  t.strictSame(released(), [{ keys: ['x'], cause: 'acked', forgiven: [] }]);
  clock.pass(limits.reconnectMsMax);
  guard.hold(['y'], 3, []);
  t.equal(released().length, 2, 'nor does it owe what goes later');
});
