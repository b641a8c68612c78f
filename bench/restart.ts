// How long does a change take when a control plane has been killed under load? `node bench/restart.ts
// [--clients 500]`: Delta clients that connect again, changes all the time, SIGKILL, a start at once. From
// each event to its arrival at each client, also at those that were not there.
import { parseArgs } from 'node:util';
import { systemClock as clock, sleep } from '../src/base/clock.ts';
import { freeAddress, until } from '../test/support/mesh.ts';
import { groupYaml } from '../test/support/objects-yaml.ts';
import { type Served, startServe } from '../test/support/planes/served.ts';
import { addressOf, startClients } from './soak/clients.ts';
import { quantile } from './soak/slope.ts';
import { conclude } from './support/conclude.ts';
import { atMost, figure, table, type Verdict } from './support/table.ts';

const { values } = parseArgs({ options: { clients: { type: 'string', default: '500' } } });
const count = Number(values.clients);
const changeMs = 500;
const changes = 20;
// A client comes back 0.25 to 0.75 s after its stream has ended, and again as long as nobody is there. After
// that it has its state within so many times what all took that connected at first, in the same run.
const [pauseMsMax, backMax] = [750, 3];

const instanceYaml = (change: number) => `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: echo-1, namespace: shop}
spec:
  address: ${addressOf(0, change)}
  ports: {http: 80}
  labels: {app: echo}
  locality: sh-a
`;

function tellTimes(rows: Readonly<Record<string, number[]>>): void {
  console.log(
    table<[string, number[]]>(
      [
        ['event → received, ms', ([what]) => what],
        ...[0.5, 0.99, 1].map(
          (share) =>
            [
              share === 1 ? 'max' : `p${share * 100}`,
              ([, times]: [string, number[]]) => figure(quantile(times, share)),
            ] as const,
        ),
      ],
      Object.entries(rows),
    ),
  );
}

/** How long it takes, in milliseconds. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = clock.now();
  await work();
  return clock.now() - from;
}

/** What is judged: `fillMs`, until all had all at first; and from events to arrivals, ms. */
function judge(
  fillMs: number,
  { steady, first, later }: Readonly<Record<'steady' | 'first' | 'later', number[]>>,
): Verdict[] {
  const backMsMax = pauseMsMax + backMax * fillMs;
  return [
    ...atMost('the first change after the start, p99', quantile(first, 0.99), backMsMax, 'ms'),
    ...atMost('changes after that, p99', quantile(later, 0.99), 2 * quantile(steady, 0.99), 'ms'),
  ];
}

async function run(): Promise<Verdict[]> {
  const xds = await freeAddress();
  let change = 1;
  const start = () =>
    startServe({
      files: { 'echo.yaml': groupYaml('echo'), 'instance.yaml': instanceYaml(change) },
      flags: ['--xds', `${xds.address}:${xds.port}`],
    });
  let served: Served = await start();
  await served.ready();
  const clients = startClients(xds, count, { reconnects: true });
  const all = () => until('all clients have all', () => clients.complete() === count, 120_000);
  const next = () => {
    change += 1;
    clients.begin(0, change);
    served.save('instance.yaml', instanceYaml(change));
  };
  const settled = (times: number[], events: number) =>
    until('all have all changes', () => times.push(...clients.take()) >= events * count, 60_000);
  const under = async (events: number) => {
    const times: number[] = [];
    for (let i = 0; i < events; i += 1) {
      next();
      await sleep(clock, changeMs);
    }
    await settled(times, events);
    return times;
  };
  try {
    const fillMs = await timed(all);
    await under(4);
    const steady = await under(changes);
    const killedAt = clock.now();
    const before = served;
    before.kill('SIGKILL');
    await before.exit;
    served = await start();
    await served.ready();
    const readyAt = clock.now();
    const first = await under(1);
    await all();
    const backMs = clock.now() - readyAt;
    const later = await under(changes);
    await before.close();
    tellTimes({ 'before it was killed': steady, 'the first after the start': first, 'after that': later });
    console.log(
      `${count} clients; ready ${figure(readyAt - killedAt)} ms after it was killed, all back within ${figure(backMs)} ms after that; all had all within ${figure(fillMs)} ms at first`,
    );
    return judge(fillMs, { steady, first, later });
  } finally {
    clients.close();
    await served.close();
  }
}

conclude(await run());
process.exit();
