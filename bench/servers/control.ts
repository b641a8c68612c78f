import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

/** What every server of the benches is told. */
export interface ServerFlags {
  readonly port: number;
  readonly http: number;
  /** Clusters or Groups, and endpoints in each. */
  readonly groups: number;
  readonly endpoints: number;
  /** Which of a program's variants. */
  readonly kind: string;
}

/** Reads the flags of a server process. */
export function serverFlags(): ServerFlags {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: { port: text, http: text, groups: text, endpoints: text, kind: text },
  });
  return {
    port: Number(values.port ?? 18000),
    http: Number(values.http ?? 18001),
    groups: Number(values.groups ?? 1000),
    endpoints: Number(values.endpoints ?? 10),
    kind: values.kind ?? '',
  };
}

/**
 * The control port of a server process: `/update?i=7&addr=10.9.9.9` changes the first endpoint of Group i and
 * answers when the change was taken in, `/add?i=1007` likewise adds Group i; `/stats` answers with what the
 * server counts, as JSON. Says `ready`.
 */
export function serveControl(
  port: number,
  update: (group: number, address: string) => void,
  stats: () => object = () => ({}),
  add: (group: number) => void = () => {},
): void {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    if (url.pathname === '/stats') {
      response.end(JSON.stringify({ ...stats(), cpu: process.cpuUsage(), memory: process.memoryUsage() }));
      return;
    }
    if (url.pathname === '/add') add(Number(url.searchParams.get('i')));
    else update(Number(url.searchParams.get('i') ?? 7), url.searchParams.get('addr') ?? '');
    response.end('ok\n');
  });
  server.listen(port, '127.0.0.1', () => console.log('ready'));
}

/** Address of an endpoint, as the Go peers number theirs. */
export function addressOf(group: number, endpoint: number): string {
  return `10.${1 + Math.floor(group / 250)}.${group % 250}.${endpoint + 1}`;
}

/** Host of a Group, as the Go peers name theirs. */
export function hostOf(group: number): string {
  return `svc-${String(group).padStart(5, '0')}.mesh.example`;
}
