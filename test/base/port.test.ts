import t from 'tap';
import { claimRange, freePort } from '../support/port.ts';

t.test('a range of ports has one process, and a port is given once', async (t) => {
  const [one, other] = [await claimRange(7), await claimRange(7)];
  t.not(one, other);
  t.equal(new Set(await Promise.all(Array.from({ length: 20 }, () => freePort()))).size, 20);
});

t.test('no range has a default port of Isthmus', async (t) => {
  for (let i = 0; i < 20; i += 1) {
    const from = await claimRange(i * 4);
    t.ok(from > 15_445 && from + 200 <= 32_768, `${from}`);
  }
});
