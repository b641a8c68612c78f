import { createServer, type Server } from 'node:net';
import t from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { type Reached, ReachWatch, reachedName } from '../../src/delivery/reach-watch.ts';
import { freeAddress, until } from '../support/mesh.ts';

/** Something that accepts connections, or does not. */
async function listener(): Promise<{ at: Reached; up(): Promise<void>; down(): Promise<void> }> {
  const at = await freeAddress();
  let server: Server | undefined;
  return {
    at,
    up: () =>
      new Promise((resolve) => {
        server = createServer((socket) => socket.destroy()).listen(at.port, at.address, resolve);
      }),
    down: () => new Promise((resolve) => server?.close(() => resolve())),
  };
}

t.test('what accepts no connection is told, and what does again', async (t) => {
  const [a, b] = [await listener(), await listener()];
  await Promise.all([a.up(), b.up()]);
  let watched = [a.at, b.at];
  const told: string[][] = [];
  const watch = new ReachWatch({
    clock: systemClock,
    logger: silentLogger,
    watched: () => watched,
    onChange: (dead) => told.push([...dead]),
  });
  t.teardown(() => watch.close());
  t.teardown(() => b.down());
  await a.down();
  await until('its death is told', () => told.length === 1);
  t.strictSame(told, [[reachedName(a.at)]]);
  await a.up();
  await until('its return is told', () => told.length === 2);
  t.strictSame(told.at(-1), []);
  await a.down();
  await until('its death is told again', () => told.length === 3);
  watched = [b.at];
  await until('what nobody asks for any more is not dead', () => told.length === 4);
  t.strictSame(told.at(-1), []);
});
