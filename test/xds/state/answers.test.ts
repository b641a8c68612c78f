import t from 'tap';
import { answerBytesMax, ResponseCache } from '../../../src/xds/state/response-cache.ts';
import { buffered } from '../../support/buffered.ts';

const answer = (bytes: number) => ({ send: true, bytes: Buffer.alloc(bytes) });

t.test('of each group the last answers are kept', async (t) => {
  const all = { bytes: 0 };
  const answers = new ResponseCache<ReturnType<typeof answer>>(all);
  const made = Array.from({ length: 100 }, (_, i) => [`state ${i}`, answer(1_000)] as const);
  for (const [state, one] of made) answers.set(state, one);
  t.equal(answers.get('state 0'), undefined);
  t.equal(answers.get('state 99'), made[99]?.[1]);
  t.ok(all.bytes >= 64_000 && all.bytes < 120_000, `${all.bytes}`);
  answers.clear();
  t.equal(all.bytes, 0);
});

t.test('phantom states of many groups fill no memory', async (t) => {
  const all = { bytes: 0 };
  // 2,000 groups of 64 states that fit each: 8 GB, were they kept.
  const groups = Array.from({ length: 2_000 }, () => new ResponseCache<ReturnType<typeof answer>>(all));
  const one = answer(60_000);
  for (const group of groups) for (let i = 0; i < 64; i++) group.set(`${i}`, one);
  t.ok(all.bytes > answerBytesMax / 2, 'many are');
  t.ok(all.bytes <= 2 * answerBytesMax, `${all.bytes}`);
  for (const group of groups) group.clear();
  t.equal(all.bytes, 0);
});

t.test('a state whose text is long is not kept', async (t) => {
  const all = { bytes: 0 };
  const answers = new ResponseCache<ReturnType<typeof answer>>(all);
  answers.set('x'.repeat(100_000), answer(1));
  t.equal(all.bytes, 0);
});

t.test('an answer that nobody shares is kept only while it is held elsewhere', async (t) => {
  const all = { bytes: 0 };
  const answers = new ResponseCache<ReturnType<typeof answer>>(all);
  let alone: ReturnType<typeof answer> | undefined = answer(50_000);
  answers.set('alone', alone, false);
  answers.set('shared', answer(50_000));
  t.equal(answers.get('alone'), alone);
  t.ok(all.bytes < 60_000, `${all.bytes}`);
  alone = undefined;
  for (let round = 0; round < 20 && answers.get('alone') !== undefined; round += 1) await buffered();
  t.equal(answers.get('alone'), undefined);
  t.ok(answers.get('shared'));
});
