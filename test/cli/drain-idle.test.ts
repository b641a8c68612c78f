import t from 'tap';
import { keepProcess, systemClock } from '../../src/base/clock.ts';
import { drainAt } from '../../src/cli/drain/drain-instance.ts';
import type { DrainPlane } from '../../src/cli/drain/drain-planes.ts';

// Timers of the clock do not keep the process alive.
t.teardown(keepProcess());

const host = { host: 'a.test', port: 80, idc: 'sh-a', usable: 1, instances: 1, isLast: false };
const hosts = [{ ...host, elsewhere: [], isKnownBy: 'registry' }];
const inFlight = (requests: number) => ({ requests, read: 1, connected: 1 });

/** Drains at a control plane that answers so, the last answer again and again. */
async function drain(answers: readonly object[], untilIdle = true) {
  const told: string[] = [];
  let next = 0;
  const call = async () => {
    const answer = answers[Math.min(next, answers.length - 1)];
    next += 1;
    const body = { namespace: 'shop', name: 'x', idc: 'sh-a', hosts, acked: true, ...answer };
    return { isRefused: false, status: 200, body };
  };
  const plane = { name: 'a:1', client: { call }, list: {} } as unknown as DrainPlane;
  const [result] = await drainAt({
    ...{ planes: [plane], key: { namespace: 'shop', name: 'x' }, force: true, untilIdle },
    ...{ timeoutMs: 2_500, clock: systemClock, say: (words) => void told.push(words) },
    warn: (words) => void told.push(words),
  });
  return { confirmed: result?.confirmed, told: told.join('\n') };
}

t.test('--until-idle: what nobody can tell is not idle', async (t) => {
  t.match(await drain([{ inFlight: inFlight(0) }]), { confirmed: true });
  t.match(await drain([{ inFlight: inFlight(2) }, { inFlight: inFlight(0) }]), { confirmed: true });
  t.match(await drain([{ hosts: [] }]), { confirmed: true }, 'no proxy has it');
  t.match(await drain([{}], false), { confirmed: true }, 'it was not asked for');
  const unread = await drain([{}]);
  t.match(unread, { confirmed: false, told: /not idle in time: .* not known, as no proxy could be read/ });
});

t.test('--until-idle: an instance that is removed with requests in flight is not waited for', async (t) => {
  const removed = await drain([{ inFlight: inFlight(1) }, { inFlight: inFlight(1) }, { hosts: [] }]);
  const words =
    /shop\/x was removed in sh-a while it was waited for: .*at last, 1 request is in flight there/;
  t.match(removed, { confirmed: false, told: words });
  const idle = await drain([{ inFlight: inFlight(1) }, { inFlight: inFlight(0) }, { hosts: [] }]);
  t.match(idle, { confirmed: true });
});
