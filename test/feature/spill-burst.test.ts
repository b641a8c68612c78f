import { createServer } from 'node:http';
import t from 'tap';
import { startFullIngress } from '../support/envoys/full-ingress.ts';
import type { Loose } from '../support/envoys/patched.ts';
import { get, until } from '../support/mesh.ts';

// An outage begins with many requests at once at an ingress that has no connection to the instances yet. A
// limit on requests lets in what it says; one on connections of each host, which needs `max_pending_requests:
// 1`, does not (decision 094).

const server = createServer((request, response) => {
  if (request.url === '/warm') response.end('one');
  else setTimeout(() => response.end('one'), 500);
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address() as { port: number };
t.teardown(() => {
  server.closeAllConnections();
  server.close();
});

/** Of so many requests at one moment, how many are served. */
async function served(
  t: { teardown(fn: () => unknown): void },
  count: number,
  patch: (cluster: Loose) => void,
) {
  const instance = { address: '127.0.0.1', port };
  const { edge, peer } = await startFullIngress(t, { instance, concurrentPerInstance: 12 }, (message) => {
    if (message.name === 'instances/one.test:80' && message.circuit_breakers) patch(message);
  });
  // By the edge, whose connections are others: those of the peer listener are not open yet.
  await until('it serves', async () => (await get(edge, '/warm', { host: 'one.test' })).status === 200);
  const all = Array.from({ length: count }, () => get(peer, '/', { host: 'one.test', method: 'POST' }));
  return (await Promise.all(all)).filter(({ status }) => status === 200).length;
}

t.test('a request limit admits exactly its number', async (t) => {
  t.equal(await served(t, 12, () => {}), 12);
  t.equal(await served(t, 20, () => {}), 12);
});

t.test('a connection limit per host refuses requests that there is room for', async (t) => {
  const perHost = (cluster: Loose) => {
    const [others] = cluster.circuit_breakers.thresholds;
    Object.assign(others, { max_requests: 16_384, max_pending_requests: 1 });
    cluster.circuit_breakers.per_host_thresholds = [{ max_connections: 12 }];
  };
  const count = await served(t, 12, perHost);
  t.ok(count < 12, `${count} of 12`);
});
