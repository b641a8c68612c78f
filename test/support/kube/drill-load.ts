import { createServer, type Server } from 'node:http';
import type { NodeScope } from '../../../src/model/node.ts';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';
import { freeAddress, get, type Mesh, until } from '../mesh.ts';

/** The host that callers ask for. */
export const drillHost = 'checkout.shop';

/** Instances, each a real server at an address of its own: what a Pod would run. */
export class Instances {
  readonly port: number;
  readonly #servers = new Map<string, Server>();

  constructor(port: number) {
    this.port = port;
  }

  async start(address: string): Promise<void> {
    const server = createServer((_, response) => response.end(address));
    this.#servers.set(address, server);
    await new Promise<void>((resolve) => server.listen(this.port, address, resolve));
  }

  /** Ends it at once, with all its connections. */
  stop(address: string): void {
    const server = this.#servers.get(address);
    server?.close();
    server?.closeAllConnections();
  }

  close(): void {
    for (const address of this.#servers.keys()) this.stop(address);
  }
}

/** Requests at a fixed rate, in turn to each proxy, whatever becomes of those before. */
export class Load {
  sent = 0;
  readonly failures: string[] = [];
  readonly served = new Map<string, number>();
  readonly #open = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  readonly #method: 'GET' | 'POST';

  /** `perSecond`: to all proxies together. */
  constructor(proxies: readonly ListenAddress[], perSecond: number, method: 'GET' | 'POST' = 'GET') {
    this.#method = method;
    const startedAt = performance.now();
    this.#timer = setInterval(() => {
      const due = ((performance.now() - startedAt) / 1000) * perSecond;
      while (this.sent < due) {
        const proxy = proxies[this.sent % proxies.length];
        this.sent += 1;
        if (proxy !== undefined) this.#send(proxy);
      }
    }, 5);
  }

  #send(proxy: ListenAddress): void {
    const sent = get(proxy, '/', { host: drillHost, method: this.#method })
      .then(({ status, body }) => {
        if (status === 200) this.served.set(body, (this.served.get(body) ?? 0) + 1);
        else this.failures.push(`${status} ${body}`);
      })
      .catch((reason: Error) => void this.failures.push(reason.message))
      .finally(() => this.#open.delete(sent));
    this.#open.add(sent);
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
  }
}

/** Starts a sidecar that calls the host; resolves to where it is called once it serves. */
export async function startCaller(mesh: Mesh, id: string, xds?: ListenAddress): Promise<ListenAddress> {
  const outbound = await freeAddress();
  const scope: NodeScope = {
    role: 'sidecar',
    idc: 'sh-a',
    namespace: 'shop',
    dependsOn: [drillHost],
    outbound,
  };
  await mesh.envoy(id, scope, xds === undefined ? {} : { xds: [xds] });
  await until(`${id} serves`, async () => (await get(outbound, '/', { host: drillHost })).status === 200);
  return outbound;
}

/** Starts load over proxies; resolves once every instance has served. */
export async function startLoad(
  proxies: readonly ListenAddress[],
  perSecond: number,
  addresses: readonly string[],
): Promise<Load> {
  const load = new Load(proxies, perSecond);
  await until('all instances serve', () => addresses.every((address) => load.served.has(address)));
  return load;
}
