import { fileURLToPath } from 'node:url';
import t from 'tap';
import { get, until } from '../support/mesh.ts';
import { linesOf, startServe, takeAway, without } from '../support/planes/served.ts';

const faulty = fileURLToPath(new URL('../support/planes/faulty.ts', import.meta.url));
const preload = ['--import', faulty, '--import', without];
const handler = { file: 'cli/serve.ts', from: 'endAtFault(logger);', to: '' };

for (const [fault, error, origin] of [
  ['throw', 'a planted exception', 'uncaughtException'],
  ['reject', 'a planted rejection', 'unhandledRejection'],
] as const)
  t.test(`${origin}: the process ends with 1, and its log says why`, async (t) => {
    const served = await startServe({ node: preload, env: { ISTHMUS_TEST_FAULT: fault } });
    t.teardown(() => served.close());
    await served.ready();
    served.kill('SIGUSR2');
    t.match(await served.exit, { code: 1, signal: null });
    const last = linesOf(served.log()).at(-1);
    t.match(last, { level: 'error', error, origin, stack: /faulty\.ts:\d+/ });
    t.match(last.msg, /ends the control plane/);
  });

t.test('without the handler the log is unreadable', async (t) => {
  const env = { ISTHMUS_TEST_FAULT: 'throw', ...takeAway(handler) };
  const served = await startServe({ node: preload, env });
  t.teardown(() => served.close());
  await served.ready();
  served.kill('SIGUSR2');
  await served.exit;
  t.match(served.log(), /a planted exception/);
  t.throws(() => linesOf(served.log()));
});

t.test('a stall is counted and logged with the stack of what stalled', async (t) => {
  const served = await startServe({ node: preload, env: { ISTHMUS_TEST_FAULT: 'stall' } });
  t.teardown(() => served.close());
  await served.ready();
  const count = async () =>
    Number(/isthmus_event_loop_stall_seconds_count\S* (\d+)/.exec(await served.page('/metrics'))?.[1]);
  const before = await count();
  served.kill('SIGUSR2');
  // On a machine that is busy a start may stand still too.
  await until('it is logged', () => served.log().includes('standStill'));
  t.ok((await count()) > before, 'and counted');
  const told = linesOf(served.log()).find(({ stack }) => String(stack).includes('standStill'));
  t.match(told, { level: 'warn', msg: 'the event loop was stalled' });
  t.ok(told.ms >= 1_500, `${told.ms} ms`);
  t.equal((await get(served.admin, '/livez')).status, 200);
});
