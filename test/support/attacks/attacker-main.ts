// The process of bad clients: `node attacker-main.ts`, with orders as JSON lines on its standard input and
// reports as JSON lines on its standard output. It has the lowest priority: what it computes for itself must
// not be what is measured.
import { setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import { stillOpen } from './attack.ts';
import type { AttackerOrder, AttackerReport } from './attacker.ts';
import { pause } from './ends.ts';
import { sendMessages } from './send-messages.ts';
import { attacks } from './table.ts';

// What is paced may wait for long before it has gone out.
const lateMs = 70_000;

setPriority(19);
const running = new Map<number, AbortController>();
const lines = createInterface({ input: process.stdin });
lines.on('close', () => process.exit(0));
lines.on('line', (line) => {
  const order = JSON.parse(line) as AttackerOrder;
  if (order.do === 'stop') running.get(order.id)?.abort();
  else
    void obey(order).then((report) => {
      running.delete(order.id);
      process.stdout.write(`${JSON.stringify(report)}\n`);
    });
});

async function obey(order: Exclude<AttackerOrder, { do: 'stop' }>): Promise<AttackerReport> {
  const stop = new AbortController();
  running.set(order.id, stop);
  const begin = performance.now();
  const cpu = process.cpuUsage();
  const report = (ended: readonly string[], more: Partial<AttackerReport> = {}): AttackerReport => {
    const counts = new Map<string, number>();
    for (const end of ended) counts.set(end.slice(0, 300), (counts.get(end.slice(0, 300)) ?? 0) + 1);
    const list = [...counts].map(([how, times]) => ({ how, times }));
    const { user, system } = process.cpuUsage(cpu);
    const took = { ms: performance.now() - begin, cpuMs: (user + system) / 1_000 };
    return { id: order.id, ended: list, ...took, isLate: false, ...more };
  };
  if (order.do === 'burn') {
    // In slices, so that a stop is heard.
    while (!stop.signal.aborted) {
      for (const end = performance.now() + 50; performance.now() < end; );
      await pause(0);
    }
    return report([]);
  }
  if (order.do === 'messages') {
    const sent = await sendMessages(order);
    return report([], sent);
  }
  const attack = attacks.find(({ name }) => name === order.name);
  if (attack === undefined) throw new Error(`there is no attack '${order.name}'`);
  const { at, scope } = order;
  const late = new Promise<undefined>((resolve) =>
    stop.signal.addEventListener('abort', () => setTimeout(() => resolve(undefined), lateMs)),
  );
  const ends = await Promise.race([attack.run({ at, scope, signal: stop.signal }), late]);
  return ends === undefined ? report([stillOpen], { isLate: true }) : report(ends);
}
