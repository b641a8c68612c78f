import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../../../src/base/clock.ts';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';

/** One execution of a request, as an instance saw it. */
export interface Execution {
  readonly id: string;
  readonly instance: string;
  readonly httpVersion: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly from: number;
  /** NaN while it lasts. */
  to: number;
}

/**
 * Instances that take the time that a request asks for (`?ms=`), and remember each execution from its
 * beginning.
 */
export interface SlowApps {
  readonly executions: Execution[];
  /** Executions of requests whose id begins so. */
  of(prefix: string): Execution[];
  /** Starts one, which answers its name; or `answer` instead of 200. */
  start(
    name: string,
    answer?: { readonly status: number; readonly headers: Record<string, string> },
  ): Promise<ListenAddress>;
  close(): void;
}

/** Nobody is started yet. */
export function slowApps(): SlowApps {
  const executions: Execution[] = [];
  const servers: Server[] = [];
  return {
    executions,
    of: (prefix) => executions.filter(({ id }) => id.startsWith(prefix)),
    async start(name, answer) {
      const server = createServer((request, response) => {
        const url = new URL(request.url ?? '/', 'http://test');
        const id = String(request.headers['x-test-id'] ?? '');
        const execution = {
          id,
          instance: name,
          httpVersion: request.httpVersion,
          path: request.url ?? '',
          headers: request.headers,
          from: systemClock.now(),
          to: Number.NaN,
        };
        if (id !== '') executions.push(execution);
        request.resume();
        systemClock.after(Number(url.searchParams.get('ms') ?? 0), () => {
          execution.to = systemClock.now();
          response.writeHead(answer?.status ?? 200, answer?.headers ?? {});
          response.end(name);
        });
      });
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return { address: '127.0.0.1', port: (server.address() as AddressInfo).port };
    },
    close() {
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
    },
  };
}

/** How many executions of one request ran while another of the same request did. */
export function overlaps(executions: readonly Execution[]): number {
  return executions.filter((one, i) =>
    executions.some((other, j) => j < i && other.id === one.id && !(other.to <= one.from)),
  ).length;
}
