import { createHash } from 'node:crypto';
import t from 'tap';
import { seededRandom } from '../../src/base/random.ts';
import { type Attack, isClear } from '../support/attacks/attack.ts';
import { type Attacked, startAttacked } from '../support/attacks/attacked.ts';
import { floods } from '../support/attacks/floods.ts';
import { createMessages } from '../support/attacks/messages.ts';

const middle = (list: readonly number[]) => Math.round(list[Math.floor(list.length / 2)] ?? 1e9);
// What a machine that others use adds to a change by itself, ten times over.
const slackMs = 1_000;
const changes = 4;

/** What those who behave see before and during an attack, and how it ends. */
async function under(attacked: Attacked, attack: Attack, changes: number) {
  const before = await attacked.observe(changes);
  const { stop, ends: stopped } = attacked.attack(attack);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const during = await attacked.observe(changes);
  stop();
  const ends = new Set(await stopped);
  const isServed = middle(during.ms) <= 2 * middle(before.ms) + slackMs;
  const mostMs = Math.round(during.ms.at(-1) ?? 0);
  const figures = `${middle(before.ms)} ms before, ${middle(during.ms)} ms during, at most ${mostMs}`;
  return { isServed, figures, lost: during.lost, ends: [...ends], mostMs };
}

/** The attack that is tried without limits too, and the longest wait of a change beside it with them, ms. */
const bombs = 'gzip bombs';
let bombsMs = 1e9;

/** The bytes of the first messages of a seed, as a hash. */
function messagesOf(seed: number): string {
  const next = createMessages(seededRandom(seed));
  const hash = createHash('sha256');
  for (let i = 0; i < 5_000; i++) hash.update(next().bytes);
  return hash.digest('hex');
}

t.test('a seed replays: the same messages, to the byte', async (t) => {
  t.equal(messagesOf(1), messagesOf(1));
  t.not(messagesOf(1), messagesOf(2));
});

t.test('whatever a client does, well-behaved ones get their changes', { timeout: 290_000 }, async (t) => {
  const attacked = await startAttacked();
  t.teardown(() => attacked.close());
  await attacked.observe(changes);
  for (const attack of floods) {
    const { isServed, figures, lost, ends, mostMs } = await under(attacked, attack, changes);
    if (attack.name === bombs) bombsMs = mostMs;
    const memory = `RSS ${Math.round(attacked.rssBytes() / 2 ** 20)} MiB`;
    t.ok(isServed, `${attack.name}: ${figures}, ${memory}`);
    t.equal(lost, 0, `${attack.name}: all of them`);
    for (const end of ends) t.ok(isClear(attack, end), `${attack.name} ends with ${end}`);
  }
  t.ok(attacked.rssBytes() < 1.5 * 2 ** 30, 'none of it takes the memory');
});

t.test('without limits they wait', { timeout: 200_000 }, async (t) => {
  const attacked = await startAttacked(true);
  t.teardown(() => attacked.close());
  await attacked.observe(changes);
  const attack = floods.find(({ name }) => name === bombs) as Attack;
  const { lost, figures, mostMs } = await under(attacked, attack, 2 * changes);
  t.ok(lost > 0 || mostMs > 2 * bombsMs, `${figures}; with limits ${bombsMs} ms at most`);
});
