// All benches, and docs/BENCHMARKS.md: `node bench/all.ts [--report]` (`--report`: only write the page, from
// stored results).
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Machine } from './support/machine.ts';

/** A bench: its file, and the text for its tables. */
interface Bench {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  /** Minutes after which it is stopped: all together stay below half an hour. */
  readonly minutesMax: number;
  readonly flags?: readonly string[];
}

const benches: readonly Bench[] = [
  {
    name: 'push',
    title: 'From a change to every stream',
    about: `1,000 Groups x 10 endpoints, one TCP connection per stream; the address of one endpoint changes. Latency is the time from just
before the change is requested until each stream has received it, over all streams; the client shares the machine's
processors. CPU is the server's, per change and stream, including its ACK. The library serves the same resources as
go-control-plane, the control plane those of a sidecar, which are more. In State of the World each ACK repeats the 1,000
names, 24 KB that the client writes and the server reads; one of the floors does the same. The control plane's names
are longer, 36 KB. go-control-plane is compared by the best of its caches on the same protocol, in cold starts by the MiB that it sends. The CPU of State of the
World is judged by the floor whose ACKs are as long. All runs are from one session: trust ratios.`,
    minutesMax: 10,
    flags: ['--rounds', '2'],
  },
  {
    name: 'slo',
    title: "Ctrip's scale",
    about: `30,000 ServiceEntries and 30,000 WorkloadEntries in a folder of YAML, one DR group of two IDCs, 500 sidecars with 50
Groups each, 4 gateways with all. Every second 50 instances change their address, each by replacing a file. Event → ACK is the time from
reading the file to each proxy's ACK. It is judged by the p99 of a bare grpc-js server to as many streams; processor time of a start and memory by a bare Node process that
parses the last good state, which has the same objects.`,
    minutesMax: 3,
  },
  {
    name: 'index',
    title: 'The index',
    about: `The cost of one event, compared with a full scan, as Istio did before it had indexes: each ServiceEntry of the namespace is compared with each
WorkloadEntry of it. CPU is the mean of 200 events. A build is judged by the CPU to parse the same objects as
JSON, an event by that to send its objects through JSON, there and back.`,
    minutesMax: 2,
  },
  {
    name: 'wasm',
    title: 'The trail filter',
    about: `What the filter costs a gateway, judged by the same requests without a filter; the size of a module is absolute by its nature.`,
    minutesMax: 3,
  },
  {
    name: 'gateways',
    title: 'Gateways with many Groups',
    about: `The gateways of one of two, and of one of six IDCs. Their fill and memory are judged by an Envoy with as many plain clusters and routes
from a file, checks from another IDC by those of a gateway's own instances; beside these stand the absolute figures that a fleet is planned with.`,
    minutesMax: 3,
  },
  {
    name: 'routes',
    title: 'Routes by scope',
    about: `What a Group that is added costs a real sidecar, in one window of five seconds each, less what it takes in as long without a change; the same
to 1,000 sidecars, in turn with a change of an endpoint, from just before the change is requested until a sidecar has the last response for it; and what each
request costs, in turn with proxies that have one table for all hosts. Bytes of a real sidecar are those on the wire, with HTTP/2's and gRPC's own.`,
    minutesMax: 6,
  },
];

const { values } = parseArgs({ options: { report: { type: 'boolean', default: false } } });
const root = fileURLToPath(new URL('..', import.meta.url));
const kept = (name: string) => `${root}.cache/bench/${name}.json`;
const script = (name: string) => `${root}bench/${name}.ts`;

let failed = false;
if (!values.report)
  for (const { name, minutesMax, flags = [] } of benches) {
    if (!existsSync(script(name))) continue;
    process.stderr.write(`\n== bench-${name}\n`);
    const args = [script(name), '--json', kept(name), ...flags];
    const status = await runBench(args, minutesMax * 60_000);
    if (status === 0) continue;
    failed = true;
    process.stderr.write(
      `bench-${name}: ${status === null ? `stopped after ${minutesMax} minutes` : 'failed'}\n`,
    );
  }
writeFileSync(`${root}docs/BENCHMARKS.md`, report());
if (failed) process.exitCode = 1;

/**
 * Runs a bench in a process group of its own, which ends with it or after `msMax`: servers and clients must
 * not stay.
 */
async function runBench(args: readonly string[], msMax: number): Promise<number | null> {
  const child = spawn(process.execPath, args, { stdio: 'inherit', detached: true });
  const stop = () => {
    try {
      process.kill(-(child.pid as number), 'SIGKILL');
    } catch {
      // All of them have ended.
    }
  };
  const interrupted = () => {
    stop();
    process.exit(130);
  };
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, interrupted);
  const timer = setTimeout(stop, msMax);
  const status = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  clearTimeout(timer);
  stop();
  for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, interrupted);
  return status;
}

function report(): string {
  const head = `# Benchmarks

Written by \`make bench\`; do not edit. All figures of a table are from one machine, possibly shared: the
column \`others %\` is what other processes took of one core. Compare figures within a table only.

A bench that misses a bound exits with 1. Bounds of time, processor time and memory are ratios to a floor that the same run measures, so that a
slow machine misses none ([decision 185](decisions/185-bounds-are-ratios-to-floors.md)); what is absolute by its nature is marked so. A table of bounds is that of its date.
`;
  return [head, ...benches.map(section)].join('\n');
}

function section({ name, title, about }: Bench): string {
  if (!existsSync(kept(name))) return `## ${title}\n\nNot measured yet: \`make bench-${name}\`.\n`;
  const { machine, tables } = JSON.parse(readFileSync(kept(name), 'utf8')) as {
    machine: Machine;
    tables: readonly string[];
  };
  const { date, cpu, cores, memoryGiB, os, node, go, versions, commit } = machine;
  const programs = Object.entries({ Node: node, ...versions }).map(([what, version]) => `${what} ${version}`);
  const where = `${date} UTC, ${commit}: ${cpu}, ${cores} cores, ${memoryGiB} GiB, ${os}, ${programs.join(', ')}, ${go}.`;
  return `## ${title}\n\n${about === '' ? '' : `${about}\n\n`}${where}\n\n${tables.join('\n\n')}\n`;
}
