import { existsSync, readFileSync, statSync } from 'node:fs';
import { sleep } from '../../base/clock.ts';
import { isMap } from '../../base/raw-map.ts';
import { drillIdHeader, isOfLoad } from '../call/request-id.ts';
import { machineClock } from '../time.ts';
import { parseUpstreamLog, type UpstreamEntry } from '../upstream/upstream-log.ts';
import { askAdmin, readStats } from '../world/envoy.ts';
import type { DrillPaths } from '../world/paths.ts';
import { type IdcPlan, type ProxyPlan, proxiesOf, type Topology } from '../world/topology.ts';
import type { AccessLine, AckFacts, CounterCheck } from './measurement.ts';

/** Envoys write their access logs every 100 ms; by then, and a bit, all that has ended is in the file. */
const flushMs = 400;

/** What a restarted Envoy's access log held before: its counters began again at 0, the file did not. */
export interface RestartMarks {
  /** Call when an Envoy has died and before it starts again. */
  note(proxy: ProxyPlan): void;
  offsetOf(proxy: ProxyPlan): number;
}

/** Marks for the access logs in `paths`. */
export function createRestartMarks(paths: DrillPaths): RestartMarks {
  const offsets = new Map<string, number>();
  return {
    note(proxy) {
      const file = paths.accessLog(proxy);
      offsets.set(file, existsSync(file) ? statSync(file).size : 0);
    },
    offsetOf: (proxy) => offsets.get(paths.accessLog(proxy)) ?? 0,
  };
}

/**
 * Reads all access logs, and the counters of each Envoy that `runs` before and after them: health checks go
 * on while we read. `access` has the lines of the load only.
 */
export async function collectAccess(
  topology: Topology,
  paths: DrillPaths,
  marks: RestartMarks,
  runs: (proxy: ProxyPlan) => boolean,
): Promise<{ access: AccessLine[]; counters: CounterCheck[] }> {
  const proxies = proxiesOf(topology);
  const count = (proxy: ProxyPlan) => (runs(proxy) ? readCounters(proxy) : new Map<string, number>());
  const before = await Promise.all(proxies.map(count));
  await sleep(machineClock, flushMs);
  const logs = proxies.map((proxy) => readAccessLog(proxy, paths.accessLog(proxy), marks.offsetOf(proxy)));
  const after = await Promise.all(proxies.map(count));
  const counters = proxies.flatMap((proxy, i) =>
    [...(after[i] ?? [])].map(([listener, count]) => ({
      proxy: `${proxy.idc}/${proxy.name}`,
      listener,
      before: before[i]?.get(listener) ?? 0,
      lines: logs[i]?.linesSinceMark.get(listener) ?? 0,
      after: count,
    })),
  );
  return { access: logs.flatMap((log) => log.lines), counters };
}

/** Requests by listener, as the Envoy counts them. */
async function readCounters(proxy: ProxyPlan): Promise<Map<string, number>> {
  const stats = await readStats(proxy.admin, '^http\\..*\\.downstream_rq_total$');
  const byListener = [...stats].map(([name, count]) => [name.split('.')[1] ?? '', count] as const);
  return new Map(byListener.filter(([listener]) => listener !== 'admin' && listener !== 'async-client'));
}

/** Reads one access log: the lines whose ids are wanted, by default those of the load. */
export function readAccessLog(
  proxy: { readonly idc: string; readonly name: string },
  file: string,
  markOffset: number,
  wanted: (id: string) => boolean = isOfLoad,
): { lines: AccessLine[]; linesSinceMark: Map<string, number> } {
  const lines: AccessLine[] = [];
  const linesSinceMark = new Map<string, number>();
  if (!existsSync(file)) return { lines, linesSinceMark };
  // Envoy writes wall-clock times; all else is on the monotonic clock.
  const wallAheadMs = machineClock.wall() - machineClock.now();
  const bytes = readFileSync(file);
  let offset = 0;
  for (const line of bytes.toString('utf8').split('\n')) {
    const raw = parseLine(line);
    if (raw) {
      const listener = String(raw.listener);
      if (offset >= markOffset) linesSinceMark.set(listener, (linesSinceMark.get(listener) ?? 0) + 1);
      const id = textOf(isMap(raw.headers) ? raw.headers[drillIdHeader] : undefined);
      if (wanted(id)) {
        lines.push({
          proxy: `${proxy.idc}/${proxy.name}`,
          idc: proxy.idc,
          listener,
          at: Date.parse(textOf(raw.time)) - wallAheadMs,
          durationMs: Number(raw.duration ?? 0),
          id,
          status: Number(raw.status ?? 0),
          flags: textOf(raw.flags),
          trail: textOf(raw.trail),
          attempts: Number(raw.attempts ?? 0),
          outcome: textOf(raw.outcome),
          upstream: textOf(raw.upstream_host),
        });
      }
    }
    offset += Buffer.byteLength(line) + 1;
  }
  return { lines, linesSinceMark };
}

/** A line that was cut when its Envoy was killed is no line. */
function parseLine(line: string): Record<string, unknown> | undefined {
  if (!line.endsWith('}')) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Envoy writes `-` or null for what is absent. */
function textOf(value: unknown): string {
  return value === null || value === undefined || value === '-' ? '' : String(value);
}

/** All lines of all access logs whose ids are wanted, once the Envoys have written them. */
export async function collectLines(
  topology: Topology,
  paths: DrillPaths,
  wanted: (id: string) => boolean,
): Promise<AccessLine[]> {
  await sleep(machineClock, flushMs);
  return proxiesOf(topology).flatMap(
    (proxy) => readAccessLog(proxy, paths.accessLog(proxy), 0, wanted).lines,
  );
}

/** Reads the instances' own logs, by `idc/instance`: by default requests of the load only. */
export function collectEntries(
  topology: Topology,
  paths: DrillPaths,
  wanted: (id: string) => boolean = isOfLoad,
): Map<string, UpstreamEntry[]> {
  const instances = topology.idcs.flatMap((idc) => idc.instances);
  return new Map(
    instances.map((instance) => {
      const file = paths.requests(instance);
      const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
      const entries = parseUpstreamLog(text).filter((entry) => entry.path !== '/healthz' && wanted(entry.id));
      return [`${instance.idc}/${instance.name}`, entries];
    }),
  );
}

/** The control plane's account of event → ACK so far. Rejects when it does not give one. */
export async function collectAcks(idc: IdcPlan): Promise<AckFacts> {
  const { eventToAck } = JSON.parse(await askAdmin(idc.controlAdmin, '/status', 5000));
  // Endpoints of their own IDC are used by callers and by ingress gateways; egress gateways only send on.
  return { idc: idc.name, proxies: idc.ingress.length + 1, ...eventToAck };
}
