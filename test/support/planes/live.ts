import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { sleep, systemClock } from '../../../src/base/clock.ts';
import type { LivePhase, LiveRun } from '../../../src/cli/live/live-run.ts';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';
import { type Idcs, startIdcs } from '../idcs.ts';
import { freeAddress, get, type Mesh, until } from '../mesh.ts';
import { adminToken, evacuationSources, serveAdmins } from './evacuating.ts';

const main = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
const idcs = ['sh-a', 'sh-b'] as const;

/** How the instances of an IDC answer. No checks: a machine that is busy must take nobody out. */
export interface Behaviour {
  waitMs: number;
  status: number;
}

/** A command that runs. */
export interface LiveChild {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  said(): string;
  /** Its record, as far as it is written. */
  record(): LiveRun;
  report(): string;
  phase(name: string): LivePhase | undefined;
}

/** Two IDCs that serve, their control planes with evacuations, and a load. */
export interface LiveWorld {
  readonly idcs: Idcs;
  readonly behaviour: Readonly<Record<(typeof idcs)[number], Behaviour>>;
  /** `--envoy` of these proxies. */
  envoys(...proxies: string[]): readonly string[];
  /** `isthmus drill live evacuate sh-a`, with a folder of records of its own. */
  live(args: readonly string[]): LiveChild;
  /** Any `isthmus` command that takes --admin. */
  isthmus(args: readonly string[]): LiveChild;
  /** The share that leaves now, by each IDC's control plane. */
  shares(): readonly number[];
  /** The IDCs that are left now, by their own control planes. */
  standing(): readonly string[];
  /** Who serves so many requests of the caller, or with which status they fail. */
  where(count?: number, group?: string): Promise<Readonly<Record<string, number>>>;
  /** Sends requests, some 100 a second, until the answer is called. */
  load(): () => Promise<void>;
  close(): Promise<void>;
}

/** Starts it: Groups `web` and `other`, a caller in sh-a. */
export async function startLiveWorld(): Promise<LiveWorld> {
  const dir = mkdtempSync(join(tmpdir(), 'isthmus-live-'));
  writeFileSync(join(dir, 'token'), adminToken);
  const behaviour = { 'sh-a': { waitMs: 0, status: 200 }, 'sh-b': { waitMs: 0, status: 200 } };
  const servers = await Promise.all(
    idcs.map(async (idc) => {
      const at = await freeAddress();
      const server = createServer((request, response) => {
        const { waitMs, status } = behaviour[idc];
        request.resume();
        systemClock.after(waitMs, () => response.writeHead(status).end(idc));
      });
      await new Promise<void>((resolve) => server.listen(at.port, at.address, resolve));
      return { idc, at, server };
    }),
  );
  const sources = evacuationSources(dir);
  const world = await startIdcs({
    ...{ idcs, hopLimit: 1, exposeReady: true },
    groups: ['web', 'other'].map((name) => ({ name, instances: servers })),
    sources: (idc) => [sources.open(idc)],
  });
  const admins = await serveAdmins(world, sources.all);
  const planes = admins.flatMap(({ port }) => ['--admin', `127.0.0.1:${port}`]);
  const children: ChildProcess[] = [];
  let runs = 0;

  function isthmus(args: readonly string[], records = ''): LiveChild {
    const { NODE_OPTIONS: _, ...env } = process.env;
    const command = [main, ...args, ...planes, '--token-file', join(dir, 'token')];
    const child = spawn(process.execPath, command, { env });
    children.push(child);
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        said += chunk;
      });
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    const read = (file: string) => readFileSync(join(records, readdirSync(records)[0] ?? '', file), 'utf8');
    const record = () => JSON.parse(read('run.json')) as LiveRun;
    return {
      ...{ child, ended, record },
      said: () => said,
      report: () => read('report.txt'),
      phase: (name) => record().phases.find((phase) => phase.name === name),
    };
  }

  async function where(count = 40, group = 'web') {
    const counts: Record<string, number> = {};
    for (let i = 0; i < count; i += 1) {
      const { status, body } = await get(world.outbound, '/work', { host: `${group}.test` });
      const place = status === 200 ? body : String(status);
      counts[place] = (counts[place] ?? 0) + 1;
    }
    return counts;
  }
  await until('served at home', async () => (await where())['sh-a'] === 40);

  return {
    ...{ idcs: world, behaviour, where, isthmus },
    envoys: (...proxies) =>
      proxies.flatMap((proxy) => {
        const { address, port } = world.admins.get(proxy) as ListenAddress;
        return ['--envoy', `${address}:${port}`];
      }),
    live(args) {
      runs += 1;
      const records = join(dir, `records-${runs}`);
      return isthmus(['drill', 'live', 'evacuate', 'sh-a', ...args, '--record-dir', records], records);
    },
    shares: () =>
      idcs.map((idc) => (world.meshes.get(idc) as Mesh).plane.evacuations.list().items[0]?.percentNow ?? 0),
    standing: () =>
      idcs.filter((idc) =>
        (world.meshes.get(idc) as Mesh).plane.evacuations
          .list()
          .items.some((item) => item.idc === idc && item.percentNow > 0),
      ),
    load() {
      let goes = true;
      const one = async () => {
        while (goes) {
          await get(world.outbound, '/work', { host: 'web.test' }).catch(() => {});
          await sleep(systemClock, 50);
        }
      };
      const all = Promise.all(Array.from({ length: 8 }, one));
      return async () => {
        goes = false;
        await all;
      };
    },
    async close() {
      for (const child of children) child.kill('SIGKILL');
      for (const { server } of servers) {
        server.closeAllConnections();
        server.close();
      }
      await Promise.all(admins.map((admin) => admin.close()));
      await world.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A run, once it has ended; what it said is in the test's output. */
export async function runLive(
  t: Test,
  world: LiveWorld,
  args: readonly string[],
): Promise<LiveChild & { readonly code: number | null }> {
  const one = world.live(args);
  const code = await one.ended;
  t.comment(`${args.join(' ')} → ${code}\n${one.said()}`);
  return { ...one, code };
}

/** Nobody leaves any more, and nobody is served elsewhere. */
export async function expectHome(t: Test, world: LiveWorld): Promise<void> {
  t.strictSame(world.shares(), [0, 0]);
  await until('all are served at home', async () => (await world.where(50))['sh-a'] === 50);
}
