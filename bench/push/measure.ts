import { buildGo } from '../support/go.ts';
import { freePort, run, startServer } from '../support/process.ts';
import type { Contender, Mode } from './servers.ts';

/** What one server did with one number of streams. */
export interface Row {
  readonly server: string;
  readonly mode: Mode;
  readonly streams: number;
  /** From the first connection until every stream has everything, in seconds. */
  readonly coldS: number;
  /** Streams that got everything: all, or the figures are of fewer. */
  readonly full: number;
  readonly coldMiB: number;
  /** From just before the change is asked for until each stream has it, over all streams and changes. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Fewest streams that a change reached: fewer than `streams` means that some were starved. */
  readonly reached: number;
  /** User and system time of the server, for one change and stream, ACK included. */
  readonly cpuUs: number;
  readonly bytesPerStream: number;
  /** After the changes, and the highest there was. */
  readonly rssMiB: number;
  readonly peakMiB: number;
  /** Of one core, by others on the machine while the changes ran: 0 is a quiet machine. */
  readonly othersPercent: number;
  readonly reconnects: number;
}

/** What a run is made of. */
export interface Load {
  readonly mode: Mode;
  readonly streams: number;
  readonly changes: number;
  readonly groups: number;
  readonly endpoints: number;
}

interface Report {
  readonly cold: { all_full_s: number; full: number; bytes: number };
  readonly update: {
    all_streams_from_t0: { p50_ms: number; p99_ms: number; max_ms: number };
    bytes_per_push: number;
    others_cpu_percent_of_one_core: number;
  };
  readonly triggers: { received: number }[];
  readonly procs: { cpu_ms_per_push_net_of_idle: number; rss_mib_end: number }[];
  readonly errors: { reconnects: number };
}

/** Starts the server, loads it with streams, changes one endpoint again and again, and stops it. */
export async function measure(contender: Contender, load: Load): Promise<Row> {
  const { mode, streams, changes, groups, endpoints } = load;
  const [port, http] = [await freePort(), await freePort()];
  const [command = '', ...args] = await contender.command({ port, http, groups, endpoints });
  const client = await buildGo('xdsload');
  const server = await startServer(command, args);
  try {
    const flags: Record<string, string | number> = {
      addr: `127.0.0.1:${port}`,
      n: streams,
      k: changes,
      mode,
      types: contender.types,
      pid: server.pid,
      interval: streams > 3000 ? '1s' : '300ms',
      settle: '3s',
      'cold-timeout': '180s',
      'trigger-url': `http://127.0.0.1:${http}/update?i=7&addr={{.Marker}}`,
      ...(contender.ackNames !== undefined && { 'ack-names': contender.ackNames }),
      ...(contender.node !== undefined && { node: contender.node }),
      // A thundering herd of 10,000 handshakes measures the kernel's backlog, not the server.
      ...(streams > 3000 && { rate: 1000 }),
    };
    const text = await run(
      client,
      Object.entries(flags).flatMap(([name, value]) => [`-${name}`, `${value}`]),
      // The client's collector is not what is measured, and takes from both processors: let it rest longer.
      { env: { ...process.env, GOGC: '400' } },
    );
    return rowOf(contender.name, load, JSON.parse(text), server.peakMiB());
  } finally {
    await server.stop();
  }
}

function rowOf(server: string, { mode, streams }: Load, report: Report, peakMiB: number): Row {
  const { cold, update, procs, triggers, errors } = report;
  return {
    server,
    mode,
    streams,
    coldS: cold.all_full_s,
    full: cold.full,
    coldMiB: cold.bytes / 2 ** 20,
    p50Ms: update.all_streams_from_t0.p50_ms,
    p99Ms: update.all_streams_from_t0.p99_ms,
    maxMs: update.all_streams_from_t0.max_ms,
    reached: Math.min(...triggers.map((trigger) => trigger.received)),
    cpuUs: ((procs[0]?.cpu_ms_per_push_net_of_idle ?? 0) * 1000) / streams,
    bytesPerStream: update.bytes_per_push / streams,
    rssMiB: procs[0]?.rss_mib_end ?? 0,
    peakMiB,
    othersPercent: update.others_cpu_percent_of_one_core,
    reconnects: errors.reconnects,
  };
}

/** The rounds of one server, mode and number of streams as one row: the median of each figure. */
export function mergeRounds(rows: readonly Row[]): Row {
  const first = rows[0] as Row;
  const merged = Object.keys(first).map((key) => {
    const values = rows.map((row) => row[key as keyof Row]);
    return [key, typeof values[0] === 'number' ? median(values as number[]) : values[0]];
  });
  return { ...Object.fromEntries(merged), reached: Math.min(...rows.map((row) => row.reached)) } as Row;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length % 2 === 1) return sorted[middle] as number;
  return ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
