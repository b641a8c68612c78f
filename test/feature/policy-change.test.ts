import t from 'tap';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { trailHeader } from '../../src/model/trail.ts';
import { startOpenLoop } from '../support/clients/open-loop.ts';
import { type Gateways, servedHost, startGateways } from '../support/envoys/gateways.ts';
import { watchLoopTurns } from '../support/loop-turns.ts';
import { get, until } from '../support/mesh.ts';

const ratePerSecond = 500;
const bound = { toAckMs: 2_000, turnMs: 50 };

const headers = { host: servedHost, [trailHeader]: 'sh-a' };

// The event loop must outlive the waits between requests.
const keepAlive = setInterval(() => {}, 1000);
const world = await startGateways();
t.teardown(async () => {
  clearInterval(keepAlive);
  await world.close();
});

const plan = { targets: world.peers, ratePerSecond, headers };

/** Status of a request at the peer listener. */
async function statusOf(trail: string, at = 0): Promise<number> {
  const to = world.peers[at] as Gateways['peers'][number];
  return (await get(to, '/', { host: servedHost, headers: { [trailHeader]: trail } })).status;
}

/** The version of the filters that each gateway has ACKed; undefined while it has not the newest. */
function filterVersions(): readonly (string | undefined)[] {
  const { proxies } = world.mesh.plane.status();
  return proxies.map(({ types }) => (types.ECDS?.state === 'SYNCED' ? types.ECDS.version : undefined));
}

/** Time from now until all gateways have filters that they had not before, ACKed, in milliseconds. */
async function untilAllChanged(before: readonly (string | undefined)[]): Promise<number> {
  const start = performance.now();
  await until('all gateways have ACKed the new filters', async () => {
    const now = filterVersions();
    return now.length === 3 && now.every((version) => version !== undefined && !before.includes(version));
  });
  return performance.now() - start;
}

t.test('a new IDC, then another: no request is lost, nothing blocks', { timeout: 120_000 }, async (t) => {
  for (const at of world.peers.keys())
    await until('the peer listeners serve', async () => (await statusOf('sh-a', at)) === 200);
  await until('all gateways are there', () => filterVersions().every((version) => version !== undefined));
  const load = startOpenLoop(plan);
  const reach = (count: number) => until(`${count} requests`, () => load.served() >= count);
  await reach(ratePerSecond);
  const turns = watchLoopTurns();
  const tookMs: number[] = [];
  for (const name of ['gz-a', 'gz-b', 'gz-c']) {
    const before = filterVersions();
    world.addIdc(name);
    tookMs.push(await untilAllChanged(before));
    await reach(load.served() + ratePerSecond / 2);
  }
  const longestMs = turns.stop();
  const { served, failed } = await load.stop();
  t.same(failed, [], `none of ${served} requests failed`);
  t.equal(await statusOf('sh-b'), 508, 'the filters are in force');
  const shown = tookMs.map((ms) => Math.round(ms)).join(', ');
  t.comment(
    `policy change → ACK on all gateways: ${shown} ms; longest turn of the event loop: ${longestMs} ms`,
  );
  // Ten times of what the bound says: the machine may be busy with something else.
  t.ok(Math.max(...tookMs) <= 10 * bound.toAckMs, `policy change → ACK on all gateways: ${shown} ms`);
  t.ok(longestMs <= bound.turnMs, `no turn of the event loop had more than ${bound.turnMs} ms: ${longestMs}`);
});

t.test('another hop limit, by a restart: no request is lost', { timeout: 120_000 }, async (t) => {
  t.equal(await statusOf('gz-a,sh-a'), 400, 'hop limit 1');
  const load = startOpenLoop(plan);
  await until('the load runs', () => load.served() >= ratePerSecond / 2);
  const start = performance.now();
  await world.mesh.restart({ hopLimit: 2 });
  for (const at of world.peers.keys())
    await until('two crossings are let in', async () => (await statusOf('gz-a,sh-a', at)) === 200);
  t.comment(`in force ${Math.round(performance.now() - start)} ms after the restart`);
  t.equal(await statusOf('gz-b,gz-a,sh-a'), 400, 'three are not');
  await sleep(systemClock, 200);
  const { served, failed } = await load.stop();
  t.same(failed, [], `none of ${served} requests failed`);
});
