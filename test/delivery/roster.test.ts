import t from 'tap';
import { silentLogger } from '../../src/base/log.ts';
import { Roster } from '../../src/delivery/roster.ts';
import type { NewEvent } from '../../src/events/event.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { manualClock } from '../support/manual-clock.ts';

function startRoster() {
  const clock = manualClock();
  const told: NewEvent[] = [];
  const events = { note: (event: NewEvent) => void told.push(event) };
  const roster = new Roster({ clock, logger: silentLogger, events, metrics: createMetrics('sh-a') });
  const scope = {
    ...({ role: 'ingress', idc: 'sh-a' } as const),
    ...{ edge: { address: '10.0.0.1', port: 1 }, peer: { address: '10.0.0.1', port: 2 } },
  };
  const open = (id: number, node: string) =>
    roster.opened({ id, node, role: 'ingress', idc: 'sh-a', peer: `10.0.0.1:${id}`, scope });
  return { clock, open, close: (id: number) => roster.closed({ id }), taken: () => told.splice(0) };
}

t.test('a gateway that connects, is lost and is back is told at once', async (t) => {
  const { clock, open, close, taken } = startRoster();
  open(1, 'ingress-1');
  close(1);
  clock.pass(40);
  open(2, 'ingress-1');
  t.match(taken(), [{ phase: 'connected' }, { phase: 'lost' }, { phase: 'back', goneForMs: 40 }]);
});

t.test('connections that were dead when they are read are one event', async (t) => {
  const { clock, open, close, taken } = startRoster();
  const nodes = ['ingress-1', 'ingress-2'];
  let id = 0;
  for (const node of nodes) open(id++, node);
  taken();
  // A control plane that stood still reads those that its kernel has taken.
  for (let i = 0; i < 7; i += 1)
    for (const node of nodes) {
      close(id - 2);
      clock.pass(3);
      open(id++, node);
      clock.pass(100);
    }
  t.equal(taken().length, 4, 'the first loss and return of each');
  clock.pass(5_000);
  const rest = taken();
  t.match(rest, [
    { kind: 'gateway', phase: 'back', node: 'ingress-1', times: 6 },
    { kind: 'gateway', phase: 'back', node: 'ingress-2', times: 6 },
  ]);
  t.equal(rest.length, 2);
  t.notOk(
    rest.some((one) => 'goneForMs' in one),
    'the time of one of them says nothing',
  );
});
