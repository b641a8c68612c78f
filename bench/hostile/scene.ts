import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock as clock, sleep } from '../../src/base/clock.ts';
import { until } from '../../test/support/mesh.ts';
import { groupYaml } from '../../test/support/objects-yaml.ts';
import {
  collectable,
  type Replacement,
  type Served,
  startServe,
  takeAway,
  usageOf,
  without,
} from '../../test/support/planes/served.ts';
import { registerInstance } from '../support/registering.ts';
import { othersRanMs, type Share, shareOf } from './processors.ts';
import { addressOf, instances, startVictims, type Victims } from './victims.ts';

/** A control plane, well-behaved clients, and instances that change. */
export interface Scene {
  readonly served: Served;
  readonly victims: Victims;
  /**
   * Lets an instance change each so many milliseconds, whatever becomes of the change before, until the next
   * call; 0: none.
   */
  changeEach(ms: number): void;
  /** Changes that the API did not take. */
  readonly failures: readonly string[];
  /** What the control plane had of the processors, and how long its turns were, since the last call. */
  turns(): Promise<Turns>;
  /** What is in RAM after garbage was collected: the least of what is seen within `ms`. */
  memory(ms: number): Promise<Memory>;
  close(): Promise<void>;
}

/** What an event loop did in some time. Its turns are known to 10 ms: as much late a timer of 10 ms was. */
export interface Turns extends Share {
  readonly tookMs: number;
  /** What others than the bench, its control plane and its attackers had of all processors. */
  readonly othersRanMs: number;
  /** How long the clients, which are one process, waited for a processor. */
  readonly clientsWaitedMs: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** The longest one in processor time of the main thread: other processes cannot make it longer. */
  readonly ownMs: number;
  /** Turns of half a second and more (`isthmus_event_loop_stall_seconds`). */
  readonly stalls: number;
}

/** What a process has in RAM, and parts of that, in bytes. */
export interface Memory {
  readonly rss: number;
  /** V8's heap as it is laid out, what is used of it, and the part for young objects. */
  readonly heap: number;
  readonly heapUsed: number;
  readonly young: number;
  /** What V8 knows of outside of its heap: buffers. */
  readonly external: number;
}

/** Responses are numbered from zero, so that random messages hit true nonces and count as answers. */
const fromZero: Replacement = { file: '/respond/respond.ts', from: 'random() * 2 ** 30', to: '0' };

/**
 * Starts it; resolves when all clients have all. `profile`: a folder for a profile of the processor time, of
 * the whole run.
 */
export async function startScene(
  clients: number,
  { off = [], profile }: { readonly off?: readonly Replacement[]; readonly profile?: string | undefined },
): Promise<Scene> {
  const turnsFolder = mkdtempSync(join(tmpdir(), 'isthmus-turns-'));
  const turnsFile = join(turnsFolder, 'turns');
  const served = await startServe({
    files: { 'echo.yaml': groupYaml('echo') },
    node: [
      ...collectable,
      ...['--import', fileURLToPath(new URL('../../test/support/planes/turns.ts', import.meta.url))],
      ...['--import', without],
      ...(profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]),
    ],
    env: { ...takeAway(fromZero, ...off), ISTHMUS_TEST_TURNS: turnsFile },
  });
  const changes = Array.from({ length: instances }, () => 1);
  const failures: string[] = [];
  const put = (instance: number) =>
    registerInstance(served, instance, addressOf(instance, changes[instance] as number));
  await served.ready();
  for (let i = 0; i < instances; i += 1) await put(i);
  const victims = startVictims(served.xds, clients);
  await until('all clients have all', () => victims.complete() === clients);
  let [everyMs, turn, open] = [0, 0, true];
  const look = (stalls: number) => ({
    ...{ ...shareOf(served.pid), clientsWaitedMs: shareOf(process.pid).waitedMs },
    ...{ at: clock.now(), othersRanMs: othersRanMs(), stalls },
  });
  let seen = look(0);
  let seenTurns = 0;
  const longestTurn = () => {
    const all = readFileSync(turnsFile, 'utf8').split('\n').slice(0, -1).map(Number);
    const longest = Math.max(0, ...all.slice(seenTurns));
    seenTurns = all.length;
    return longest;
  };
  const changing = (async () => {
    let due = clock.now();
    while (open) {
      if (everyMs === 0) due = clock.now() + 10;
      else {
        due += everyMs;
        const instance = turn % instances;
        turn += 1;
        changes[instance] = (changes[instance] as number) + 1;
        victims.begin(instance, changes[instance] as number);
        void put(instance).catch((error: Error) => failures.push(error.message));
      }
      await sleep(clock, Math.max(0, due - clock.now()));
    }
  })();
  return {
    ...{ served, victims, failures },
    async turns() {
      const page = await served.page('/metrics');
      const [now, before] = [look(metric(page, 'isthmus_event_loop_stall_seconds_count')), seen];
      seen = now;
      const turnMs = (which: string) =>
        Math.max(0, 1_000 * metric(page, `nodejs_eventloop_lag_${which}_seconds`) - 10);
      return {
        ...{ ranMs: now.ranMs - before.ranMs, waitedMs: now.waitedMs - before.waitedMs },
        othersRanMs: now.othersRanMs - before.othersRanMs,
        ...{ tookMs: now.at - before.at, stalls: now.stalls - before.stalls },
        clientsWaitedMs: now.clientsWaitedMs - before.clientsWaitedMs,
        ...{ p99Ms: turnMs('p99'), maxMs: turnMs('max'), ownMs: longestTurn() },
      };
    },
    changeEach(ms) {
      everyMs = ms;
    },
    async memory(ms) {
      const end = clock.now() + ms;
      let least: Memory | undefined;
      do {
        served.kill('SIGUSR2');
        await sleep(clock, 1_000);
        const page = await served.page('/metrics');
        const of = (name: string) => metric(page, name);
        const { rssBytes } = usageOf(served.pid);
        if (least !== undefined && least.rss <= rssBytes) continue;
        least = {
          rss: rssBytes,
          heap: of('nodejs_heap_size_total_bytes'),
          heapUsed: of('nodejs_heap_size_used_bytes'),
          young: of('nodejs_heap_space_size_total_bytes\\{space="new"'),
          external: of('nodejs_external_memory_bytes'),
        };
      } while (clock.now() < end);
      return least as Memory;
    },
    async close() {
      open = false;
      await changing;
      victims.close();
      if (profile !== undefined) {
        served.kill('SIGTERM');
        await served.exit;
      }
      await served.close();
      rmSync(turnsFolder, { recursive: true, force: true });
    },
  };
}

/** What it did in several times, one after another. */
export function sumOf(turns: readonly Turns[]): Turns {
  const sum = (of: (one: Turns) => number) => turns.reduce((all, one) => all + of(one), 0);
  const most = (of: (one: Turns) => number) => Math.max(0, ...turns.map(of));
  return {
    ...{ ranMs: sum((one) => one.ranMs), waitedMs: sum((one) => one.waitedMs) },
    othersRanMs: sum((one) => one.othersRanMs),
    ...{ tookMs: sum((one) => one.tookMs), clientsWaitedMs: sum((one) => one.clientsWaitedMs) },
    ...{ p99Ms: most((one) => one.p99Ms), maxMs: most((one) => one.maxMs) },
    ...{ ownMs: most((one) => one.ownMs), stalls: sum((one) => one.stalls) },
  };
}

function metric(page: string, name: string): number {
  return Number(new RegExp(`^${name}\\S* (\\S+)$`, 'm').exec(page)?.[1] ?? Number.NaN);
}

/** Of some times in milliseconds: the one that a share of them does not exceed. */
export function quantile(times: readonly number[], share: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
