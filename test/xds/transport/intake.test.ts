import t from 'tap';
import type { MeshError } from '../../../src/base/error.ts';
import { type IntakeLimits, Intakes } from '../../../src/xds/transport/intake.ts';
import { manualClock } from '../../support/manual-clock.ts';

const limits: IntakeLimits = {
  unknownBytesMax: 10,
  messageBytesMax: 100,
  compressedBytesMax: 20,
  inflatedBytesMax: 100,
  connectionBytesMax: 120,
  allBytesMax: 200,
  messageMsMax: 5_000,
};

/** Intakes on a clock of their own, and what was refused, by stream. */
function start() {
  const clock = manualClock();
  const intakes = new Intakes(clock, limits);
  const refused: Record<string, string> = {};
  const open = (name: string, connection: object = {}) =>
    intakes.open(connection, (error: MeshError) => {
      refused[name] = `${error.code}: ${error.message}`;
    });
  return { clock, intakes, refused, open };
}

t.test('an unidentified client may send less', async (t) => {
  const intake = start().open('a');
  t.equal(intake.bytesMax(false), 10);
  intake.known();
  t.equal(intake.bytesMax(false), 100);
  t.equal(intake.bytesMax(true), 20, 'what has to be inflated first is shorter');
});

t.test('of one connection the largest stream is ended; others are not', async (t) => {
  const { intakes, refused, open } = start();
  const connection = {};
  const [large, small, other] = [open('large', connection), open('small', connection), open('other')];
  large.waiting(90);
  other.waiting(70);
  small.waiting(30);
  t.same(refused, {});
  small.waiting(31);
  t.match(refused, { large: /^exhausted: .*this connection has more than 120 bytes/ });
  t.equal(intakes.bytes, 101);
  // What still comes on a stream that was ended is not counted.
  large.waiting(90);
  t.equal(intakes.bytes, 101);
  t.same(Object.keys(refused), ['large']);
});

t.test('of all connections the largest stream is ended, not the newest', async (t) => {
  const { intakes, refused, open } = start();
  open('large').waiting(100);
  open('next').waiting(90);
  open('victim').waiting(11);
  t.match(refused, { large: /all clients have more than 200 bytes/ });
  t.equal(intakes.bytes, 101);
});

t.test('each message must arrive completely in time, also the first', async (t) => {
  const { clock, refused, open } = start();
  open('says nothing');
  const slow = open('slow');
  const steady = open('steady');
  slow.waiting(0);
  steady.waiting(0);
  clock.pass(3_000);
  slow.waiting(1);
  clock.pass(3_000);
  t.same(Object.keys(refused), ['says nothing']);
  slow.waiting(2);
  clock.pass(3_000);
  t.match(refused, { slow: /^late: no whole message within 5000 ms/ });
  // Quiet between messages is no fault.
  clock.pass(100_000);
  t.same(Object.keys(refused), ['says nothing', 'slow']);
});

t.test('waiting messages are counted, and their client is not late', async (t) => {
  const { clock, intakes, refused, open } = start();
  const intake = open('a');
  intake.waiting(10);
  intake.held(100);
  t.equal(intakes.bytes, 100);
  clock.pass(60_000);
  t.same(refused, {});
  open('b').held(101);
  t.match(refused, { b: /^exhausted: .*or wait for processing: all clients have more than 200 bytes/ });
  intake.waiting(1);
  clock.pass(6_000);
  t.match(refused, { a: /^late/ });
});

t.test('an ended stream holds nothing', async (t) => {
  const { clock, intakes, refused, open } = start();
  const intake = open('a');
  intake.waiting(50);
  intake.close();
  intake.close();
  t.equal(intakes.bytes, 0);
  clock.pass(60_000);
  t.same(refused, {});
});

t.test('with thousands of small holders, one pass over them frees room for many pieces', async (t) => {
  const clock = manualClock();
  const intakes = new Intakes(clock, { ...limits, connectionBytesMax: 1_000, allBytesMax: 10_000 });
  let ends = 0;
  const many = Array.from({ length: 2_000 }, () =>
    intakes.open({}, () => {
      ends += 1;
    }),
  );
  for (const intake of many) intake.waiting(5);
  t.equal(ends, 0);
  intakes.open({}, () => t.fail('it has least')).waiting(1);
  t.equal(ends, 251);
  t.equal(intakes.bytes, 8_746);
});
