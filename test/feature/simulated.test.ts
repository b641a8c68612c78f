import t, { type Test } from 'tap';
import { startSimulation } from '../support/planes/simulation.ts';

// What ages by the clock, through the real classes: leases, ejections and evacuations, tables of what is
// gone.

const hour = 3_600_000;
// Servers and the clock's timers let a process end.
const alive = setInterval(() => {}, 1_000);
t.teardown(() => clearInterval(alive));

/** Nothing of what came and went is left, but for what stays. */
async function endsEmpty(t: Test, simulation: Awaited<ReturnType<typeof startSimulation>>) {
  await simulation.rest(3);
  const kept = await simulation.kept();
  for (const what of [
    'unsettled',
    'goneNodes',
    'refusedClients',
    'gone',
    'evacuations',
    'awaitedNodes',
    'held deletions',
  ])
    t.equal(kept.get(what), 0, what);
  t.same(simulation.errors, []);
}

t.test('twelve hours: what ends by the clock leaves nothing', { timeout: 600_000 }, async (t) => {
  const simulation = await startSimulation();
  t.teardown(() => simulation.close());
  for (let round = 0; round < 6; round += 1) await simulation.round(hour);
  const before = await simulation.kept();
  for (const what of ['unsettled', 'goneNodes', 'gone', 'evacuations'])
    t.ok((before.get(what) ?? 0) > 0, `the control: ${what} ${before.get(what)}`);
  for (let round = 0; round < 6; round += 1) await simulation.round(hour);
  const after = await simulation.kept();
  t.ok((after.get('timers') ?? 0) <= (before.get('timers') ?? 0) + 5, 'timers');
  await endsEmpty(t, simulation);
});

t.test('ten years: leases, ejections and evacuations work on', { timeout: 600_000 }, async (t) => {
  const simulation = await startSimulation();
  t.teardown(() => simulation.close());
  const { clock } = simulation;
  while (clock.now() < 3_653 * 24 * hour) await simulation.round(180 * 24 * hour);
  await endsEmpty(t, simulation);
});
