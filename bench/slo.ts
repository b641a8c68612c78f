// Ctrip's scale, from a folder of YAML: `node bench/slo.ts [--seconds N] [--rate N] [--services N] [--json
// FILE]`.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measure as measurePush } from './push/measure.ts';
import { contenders, plainFloor } from './push/servers.ts';
import { idcName, nodesOf, ownFiles, type Scale, writeInstance, writeWorld } from './slo/world.ts';
import { conclude } from './support/conclude.ts';
import { atMostTimes, type ParseFloor, parseFloor } from './support/floor.ts';
import { buildGo, hasGo } from './support/go.ts';
import { thisMachine } from './support/machine.ts';
import { cpuMs, freePort, residentMiB } from './support/process.ts';
import { keepJson } from './support/results.ts';
import { atMost, figure, table, type Verdict, verdicts } from './support/table.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    rate: { type: 'string', default: '50' },
    services: { type: 'string', default: '30000' },
    sidecars: { type: 'string', default: '500' },
    json: { type: 'string', default: '.cache/bench/slo.json' },
  },
});

/** Processes that must end with the bench. */
const children: ChildProcess[] = [];

interface Plane {
  readonly pid: number;
  /** From the start of the process until `/readyz` is 200, in seconds. */
  readonly readyS: number;
  /** Its processor time until then, in seconds. */
  readonly readyCpuS: number;
  readonly port: number;
  ask(path: string): Promise<string>;
  stop(): Promise<void>;
}

interface AckSummary {
  readonly count: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** What was measured, with its floors. */
interface Run {
  readonly summary: AckSummary;
  readonly asked: number;
  readonly cpuPerEventMs: number;
  readonly rssMiB: number;
  readonly plane: Plane;
  readonly again: Plane;
  readonly coldS: number;
  readonly parsed: ParseFloor;
  readonly floorP99Ms: number;
}

const scale: Scale = {
  services: Number(values.services),
  sidecars: Number(values.sidecars),
  groupsEach: 50,
  gateways: 4,
  namespaces: 100,
};
/** Bounds, as ratios to the floors of the same run (decision 185). */
const ratios = { p99: 3, start: 35, again: 17, rss: 12.5 };
const main = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));

if (hasGo()) await bench();
else console.log('bench-slo: skipped, Go is missing (the proxies are a Go program)');

async function bench(): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'isthmus-slo-'));
  try {
    await measure(home);
  } finally {
    for (const child of children) child.kill('SIGKILL');
    rmSync(home, { recursive: true, force: true });
  }
}

async function measure(home: string): Promise<void> {
  const folder = join(home, 'mesh');
  writeWorld(folder, scale);
  const plane = await startPlane(home, folder);
  tell(`ready after ${figure(plane.readyS)} s, from the folder`);
  await refuseProblems(plane);
  const proxies = await connect(plane, home);
  tell(`all ${scale.sidecars + scale.gateways} proxies have everything after ${figure(proxies.coldS)} s`);
  const cpu = cpuMs(plane.pid);
  const asked = await drive(folder);
  const summary = await settled(plane);
  const cpuPerEventMs = (cpuMs(plane.pid) - cpu) / asked;
  const rssMiB = residentMiB(plane.pid);
  await proxies.stop();
  await waitForState(join(home, 'state'));
  const parsed = await parseFloor(statesIn(join(home, 'state')));
  await plane.stop();
  // The registry is gone: only the state on disk is left.
  renameSync(folder, `${folder}-away`);
  const again = await startPlane(home, folder);
  tell(`ready after ${figure(again.readyS)} s, from the last good state`);
  await again.stop();
  const floorP99Ms = await measureFloor();
  report({
    ...{ parsed, floorP99Ms },
    summary,
    asked,
    cpuPerEventMs,
    rssMiB,
    plane,
    again,
    coldS: proxies.coldS,
  });
}

/** The p99 of a bare grpc-js server that sends 1 KB to as many streams, in milliseconds. */
async function measureFloor(): Promise<number> {
  const floor = contenders.find(({ name }) => name === plainFloor);
  if (floor === undefined) throw new Error(`no contender ${plainFloor}`);
  const streams = scale.sidecars + scale.gateways;
  return (await measurePush(floor, { mode: 'sotw', streams, changes: 60, groups: 1, endpoints: 1 })).p99Ms;
}

/** The last good states of registries in a folder, which has other files too. */
function statesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => /^registry-.*\.jsonl$/.test(name))
    .map((name) => join(folder, name));
}

/** A world of which the control plane refuses a part measures something else. */
async function refuseProblems(plane: Plane): Promise<void> {
  const found = await plane.ask('/problems');
  if (/"severity":\s*"error"/.test(found))
    throw new Error(`the world is not what it is meant to be: ${found}`);
}

function judge({ summary, plane, again, parsed, ...run }: Run): Verdict[] {
  return [
    ...atMostTimes('event → ACK p99, in the floor', summary.p99Ms, run.floorP99Ms, ratios.p99),
    ...atMostTimes('start from the folder, CPU, in the floor', plane.readyCpuS, parsed.cpuS, ratios.start),
    ...atMostTimes(
      'start from the last good state, CPU, in the floor',
      again.readyCpuS,
      parsed.cpuS,
      ratios.again,
    ),
    ...atMostTimes('RSS, in the floor', run.rssMiB, parsed.peakMiB, ratios.rss),
    // Absolute by their nature: a container's limit, and how long a fleet may take to start.
    ...atMost('RSS', run.rssMiB, 700, 'MiB'),
    ...atMost('all proxies full', run.coldS, 6, 's'),
  ];
}

function report(run: Run): void {
  const { summary, asked, plane, again } = run;
  const rows: [string, string | number][] = [
    ['events (instances whose address changes)', asked],
    ['event → ACK, of each proxy: samples', summary.count],
    ['p50 ms', figure(summary.p50Ms)],
    ['p95 ms', figure(summary.p95Ms)],
    ['p99 ms', figure(summary.p99Ms)],
    ['max ms', figure(summary.maxMs)],
    ['CPU of the control plane, ms an event', figure(run.cpuPerEventMs)],
    ['start until ready, from the folder, s', figure(plane.readyS)],
    ['start until ready, from the last good state, s', figure(again.readyS)],
    ['all proxies full after they connect, s', figure(run.coldS)],
    ['RSS MiB', Math.round(run.rssMiB)],
    ['floor: p99 ms of a bare grpc-js server to as many streams', figure(run.floorP99Ms)],
    ['floor: CPU s of a bare Node that parses the last good state', figure(run.parsed.cpuS)],
    ['floor: its peak MiB', Math.round(run.parsed.peakMiB)],
  ];
  const shown = table<[string, string | number]>(
    [
      ['what', ([what]) => what],
      ['measured', ([, value]) => value],
    ],
    rows,
  );
  const bounds = judge(run);
  console.log(`\n${shown}`);
  conclude(bounds);
  keepJson(values.json, {
    machine: thisMachine(),
    scale,
    rate: Number(values.rate),
    seconds: Number(values.seconds),
    rows,
    bounds,
    tables: [shown, verdicts(bounds)],
  });
}

/** `isthmus serve`, as a user starts it. */
async function startPlane(home: string, folder: string): Promise<Plane> {
  const [xds, admin] = [await freePort(), await freePort()];
  const flags = { idc: idcName, config: folder, state: join(home, 'state'), 'log-level': 'error' };
  const addresses = { xds: `127.0.0.1:${xds}`, admin: `127.0.0.1:${admin}` };
  const args = Object.entries({ ...flags, ...addresses }).flatMap(([name, value]) => [`--${name}`, value]);
  const start = performance.now();
  const child = spawn(process.execPath, [main, 'serve', ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  children.push(child);
  const ask = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${admin}${path}`);
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return response.text();
  };
  while (!(await ask('/readyz').then(Boolean, () => false))) {
    if (child.exitCode !== null) throw new Error(`isthmus serve ended with ${child.exitCode}`);
    await sleep(20);
  }
  const readyS = (performance.now() - start) / 1000;
  const pid = child.pid as number;
  return { pid, readyS, readyCpuS: cpuMs(pid) / 1000, port: xds, ask, stop: () => stop(child) };
}

/** Connects all proxies; resolves when each of them has everything. */
async function connect(plane: Plane, home: string) {
  const nodes = nodesOf(scale);
  const file = join(home, 'nodes.jsonl');
  writeFileSync(file, nodes.map((node) => `${JSON.stringify(node)}\n`).join(''));
  const flags = {
    addr: `127.0.0.1:${plane.port}`,
    n: nodes.length,
    mode: 'delta',
    nodes: file,
    hold: '1h',
    out: '/dev/null',
  };
  const child = spawn(
    await buildGo('xdsload'),
    Object.entries(flags).flatMap(([name, value]) => [`-${name}`, `${value}`]),
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  children.push(child);
  const [line] = (await once(child.stderr, 'data')) as [Buffer];
  const [, full, all, seconds] = /cold: (\d+)\/(\d+) full in ([\d.]+)s/.exec(line.toString()) ?? [];
  if (full === undefined || full !== all) throw new Error(`the proxies did not get everything: ${line}`);
  return { coldS: Number(seconds), stop: () => stop(child) };
}

/** Changes instances at a fixed rate, independent of responses; returns the number of changes. */
async function drive(folder: string): Promise<number> {
  const events = Number(values.rate) * Number(values.seconds);
  const start = performance.now();
  for (let e = 0; e < events; e++) {
    const due = start + (e * 1000) / Number(values.rate);
    if (due > performance.now()) await sleep(due - performance.now());
    // No instance twice within seconds, so that events do not coalesce.
    const i = (e * 13) % Math.min(ownFiles, scale.services);
    writeInstance(folder, scale, i, `10.99.${Math.floor(e / 250) % 250}.${1 + (e % 250)}`);
  }
  return events;
}

/** Event → ACK once no more ACKs come. */
async function settled(plane: Plane): Promise<AckSummary> {
  for (let before = -1; ; ) {
    await sleep(2000);
    const summary = (JSON.parse(await plane.ask('/status')) as { eventToAck: AckSummary }).eventToAck;
    if (summary.count === before) return summary;
    before = summary.count;
  }
}

async function waitForState(folder: string): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if (existsSync(folder) && readdirSync(folder).length > 0) break;
    await sleep(100);
  }
  await sleep(2000);
}

async function stop(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await Promise.race([gone, sleep(5000)]);
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await gone;
  }
}

function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}
