import { fileURLToPath } from 'node:url';
import { buildGo } from '../support/go.ts';
import { median } from '../support/median.ts';
import { freePort, run, startServer } from '../support/process.ts';

/** What a change costs a control plane with many streams, and these. */
export interface StreamRow {
  readonly change: string;
  readonly changes: number;
  /** Of a change to all streams: the median of the changes. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** What a sidecar is sent, and in how many responses. `routeBytes`: of it, a Group's scope and table. */
  readonly bytes: number;
  readonly responses: number;
  readonly routeBytes: number;
  /** Streams that got it: all, or the figures are of fewer. */
  readonly reached: number;
}

/** How many there are. */
export interface StreamLoad {
  readonly streams: number;
  readonly groups: number;
  /** Changes of each kind. */
  readonly changes: number;
}

/** Responses and bytes by type, all streams together. */
type ByType = Readonly<Record<string, readonly [responses: number, bytes: number]>>;

interface Trigger {
  readonly received: number;
  readonly from_t0: { readonly p50_ms: number; readonly p99_ms: number };
  readonly bytes: number;
  readonly responses: number;
}

interface Report {
  readonly triggers: readonly Trigger[];
  readonly update: { readonly by_type_before: ByType; readonly by_type_after: ByType };
}

const sidecar = {
  id: 'node-{{.I}}',
  cluster: 'bench',
  metadata: {
    isthmus: {
      ...{ role: 'sidecar', idc: 'sh-a', namespace: 'mesh' },
      outbound: { address: '127.0.0.1', port: 15001 },
    },
  },
};

/** One by the number of a change: odd ones are one kind, even ones the other. */
const inTurn = (odd: string, even: string) => `{{if mod .K 2}}${odd}{{else}}${even}{{end}}`;

/**
 * A whole control plane, and sidecars that follow clusters, endpoints, listeners, scopes and route tables, by
 * Delta. In turn an endpoint of a Group is another one, and a Group is added, each when the change before is
 * over. A stream has the Group when it has the last response for it, its route table, which is sent once all
 * the others are ACKed.
 */
export async function measureStreams(load: StreamLoad): Promise<readonly [StreamRow, StreamRow]> {
  const [port, http] = [await freePort(), await freePort()];
  const flags = { port, http, groups: load.groups, endpoints: 2, kind: 'shared' };
  const program = fileURLToPath(new URL('../servers/plane-main.ts', import.meta.url));
  const client = await buildGo('xdsload');
  const server = await startServer(process.execPath, [program, ...flagsOf('--', flags)]);
  try {
    const text = await run(
      client,
      flagsOf('-', {
        addr: `127.0.0.1:${port}`,
        n: load.streams,
        k: 2 * load.changes,
        mode: 'delta',
        node: JSON.stringify(sidecar),
        pid: server.pid,
        interval: '300ms',
        settle: '3s',
        'cold-timeout': '180s',
        marker: inTurn(`svc-0{{add ${load.groups} .K}}`, '10.99.{{add 100 .K}}.1'),
        'marker-type': inTurn('rds', 'eds'),
        'trigger-url': `http://127.0.0.1:${http}${inTurn(`/add?i={{add ${load.groups} .K}}`, '/update?i=7&addr={{.Marker}}')}`,
      }),
      { env: { ...process.env, GOGC: '400' } },
    );
    const { triggers, update } = JSON.parse(text) as Report;
    const routes = ['ScopedRouteConfiguration', 'RouteConfiguration'].map(
      (type) => (update.by_type_after[type]?.[1] ?? 0) - (update.by_type_before[type]?.[1] ?? 0),
    );
    const routeBytes = routes.reduce((sum, bytes) => sum + bytes, 0) / load.streams / load.changes;
    const every = (rest: number) => triggers.filter((_, i) => i % 2 === rest);
    return [
      rowOf('an endpoint', load.streams, every(1), 0),
      rowOf('a Group added', load.streams, every(0), routeBytes),
    ];
  } finally {
    await server.stop();
  }
}

function flagsOf(dash: string, flags: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(flags).flatMap(([name, value]) => [`${dash}${name}`, `${value}`]);
}

function rowOf(change: string, streams: number, triggers: readonly Trigger[], routeBytes: number): StreamRow {
  const middle = (of: (trigger: Trigger) => number) => median(triggers.map(of));
  return {
    change,
    changes: triggers.length,
    p50Ms: middle(({ from_t0 }) => from_t0.p50_ms),
    p99Ms: middle(({ from_t0 }) => from_t0.p99_ms),
    bytes: middle(({ bytes }) => bytes) / streams,
    responses: middle(({ responses }) => responses) / streams,
    routeBytes,
    reached: Math.min(...triggers.map(({ received }) => received)),
  };
}
