import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ListenAddress } from '../model/values/listen-address.ts';
import type { RegistrarStatus } from './registrar.ts';

/** A running server of a registrar's state. */
interface StatusServer {
  readonly address: ListenAddress;
  close(): Promise<void>;
}

/**
 * Serves a registrar's state over HTTP: `/healthz` and `/readyz` for probes, `/status` as JSON. Rejects if
 * the address is in use.
 */
export async function serveRegistrarStatus(
  listen: ListenAddress,
  status: () => RegistrarStatus,
): Promise<StatusServer> {
  const server = createServer((request, response) => {
    const end = (code: number, body: string, type = 'text/plain') =>
      response.writeHead(code, { 'content-type': type }).end(body);
    const path = (request.url ?? '').split('?')[0];
    if (request.method !== 'GET') return end(405, 'only GET\n');
    if (path === '/healthz') return end(200, 'ok\n');
    if (path === '/status') return end(200, `${JSON.stringify(status(), null, 2)}\n`, 'application/json');
    if (path !== '/readyz') return end(404, 'there are /healthz, /readyz and /status\n');
    // A standby is ready, too: it knows all that it needs to take over.
    return status().isReady ? end(200, 'ok\n') : end(503, 'both API servers have not been read yet\n');
  });
  server.listen(listen.port, listen.address);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    address: { address: listen.address, port },
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
