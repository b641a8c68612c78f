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
import { idcName, nodesOf, ownFiles, type Scale, writeInstance, writeWorld } from './slo/world.ts';
import { buildGo, hasGo } from './support/go.ts';
import { thisMachine } from './support/machine.ts';
import { cpuMs, freePort, residentMiB } from './support/process.ts';
import { keepJson } from './support/results.ts';
import { atMost, figure, table, verdicts } from './support/table.ts';

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

const scale: Scale = {
  services: Number(values.services),
  sidecars: Number(values.sidecars),
  groupsEach: 50,
  gateways: 4,
  namespaces: 100,
};
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
  await plane.stop();
  // The registry is gone: only the state on disk is left.
  renameSync(folder, `${folder}-away`);
  const again = await startPlane(home, folder);
  tell(`ready after ${figure(again.readyS)} s, from the last good state`);
  await again.stop();
  report({ summary, asked, cpuPerEventMs, rssMiB, plane, again, coldS: proxies.coldS });
}

/** A world of which the control plane refuses a part measures something else. */
async function refuseProblems(plane: Plane): Promise<void> {
  const found = await plane.ask('/problems');
  if (/"severity":\s*"error"/.test(found))
    throw new Error(`the world is not what it is meant to be: ${found}`);
}

function report(run: {
  readonly summary: AckSummary;
  readonly asked: number;
  readonly cpuPerEventMs: number;
  readonly rssMiB: number;
  readonly plane: Plane;
  readonly again: Plane;
  readonly coldS: number;
}): void {
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
  ];
  const shown = table<[string, string | number]>(
    [
      ['what', ([what]) => what],
      ['measured', ([, value]) => value],
    ],
    rows,
  );
  const bounds = [
    ...atMost('event → ACK p99', summary.p99Ms, 100, 'ms'),
    ...atMost('start from the folder', plane.readyS, 8, 's'),
    ...atMost('start from the last good state', again.readyS, 3, 's'),
  ];
  console.log(`\n${shown}\n\n${verdicts(bounds)}`);
  if (bounds.some(({ met }) => !met)) process.exitCode = 1;
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
  return { pid: child.pid as number, readyS, port: xds, ask, stop: () => stop(child) };
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
