import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import t from 'tap';
import { upload } from '../support/apps/bodies.ts';
import { freeAddress, get, startMesh, until } from '../support/mesh.ts';
import { idcYaml } from '../support/objects-yaml.ts';

// Bodies are kept to be sent again: a flood of them fills a proxy's memory up to its limit, and no further.
const mebibyte = 2 ** 20;
const limit = 128 * mebibyte;
const [floods, bytes] = [120, 3 * mebibyte];

const entry = (port: number) => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: web, namespace: test}
spec:
  hosts: [web.test]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: main, protocol: HTTP}]
  endpoints: [{address: 127.0.0.1, ports: {main: ${port}}, locality: sh-a}]
`;

/** Resident memory of a process, in bytes (proc_pid_status). */
const residentOf = (pid: number) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;

/**
 * A sidecar under a flood of bodies that nobody answers: the most memory it had, and what it does then and
 * after.
 */
async function flood(t: Tap, protocol: 'http1' | 'http2', maxHeapBytes: number) {
  const web = await freeAddress();
  // Takes bodies in and answers those of /up alone.
  const app = createServer((request, response) => {
    request.resume();
    if (request.url !== '/never') request.on('end', () => response.end('answered'));
  });
  await new Promise<void>((resolve) => app.listen(web.port, web.address, resolve));
  const mesh = await startMesh('sh-a', { 'idc.yaml': idcYaml, 'web.yaml': entry(web.port) });
  const outbound = await freeAddress();
  const { pid, admin } = await mesh.envoy(
    'caller',
    { role: 'sidecar', idc: 'sh-a', namespace: 'test', outbound },
    { maxHeapBytes },
  );
  t.teardown(async () => {
    app.closeAllConnections();
    app.close();
    await mesh.close();
  });
  const ask = async () => (await get(outbound, '/up', { host: 'web.test' })).status;
  await until('the path is open', async () => (await ask()) === 200);
  const before = residentOf(pid);
  let most = before;
  const measure = setInterval(() => {
    most = Math.max(most, residentOf(pid));
  }, 20);
  const body = Buffer.alloc(bytes);
  const streams: Duplex[] = [];
  const sessions =
    protocol === 'http2' ? [0, 1, 2].map(() => connectHttp2(`http://127.0.0.1:${outbound.port}`)) : [];
  for (const session of sessions) session.on('error', () => {});
  for (let i = 0; i < floods; i += 1) {
    const session = sessions[i % 3];
    const stream =
      session === undefined
        ? connect(outbound.port, outbound.address)
        : session.request({ ':method': 'POST', ':path': '/never', ':authority': 'web.test' });
    stream.on('error', () => {});
    stream.resume();
    streams.push(stream);
    // Not ended: what came is kept.
    if (session === undefined)
      stream.write(`POST /never HTTP/1.1\r\nhost: web.test\r\ncontent-length: ${bytes + 1}\r\n\r\n`);
    stream.write(body);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const open = streams.filter((stream) => !stream.destroyed && stream.readable).length;
  clearInterval(measure);
  const stats = (await get(admin, '/stats?filter=overload|load_shed|server.memory')).body;
  for (const one of [...streams, ...sessions]) one.destroy();
  const counted = (name: string) => Number(new RegExp(`${name}: (\\d+)`).exec(stats)?.[1]);
  return { most: most - before, open, counted, stats, ask, outbound };
}
type Tap = { teardown(end: () => Promise<void>): void };

for (const protocol of ['http1', 'http2'] as const) {
  t.test(`${protocol}: memory stays within its limit`, { timeout: 120_000 }, async (t) => {
    const { most, open, counted, stats, ask, outbound } = await flood(t, protocol, limit);
    t.comment(stats);
    t.ok(most < limit * 1.4, `${Math.round(most / mebibyte)} MiB`);
    if (protocol === 'http2') {
      t.ok(open < floods, `${open} of ${floods} streams are open`);
      t.ok(counted('reset_high_memory_stream.count') > 0);
    } else {
      // A connection that is not accepted any more waits in the kernel, and is open to its client.
      const shed = counted('http1_server_abort_dispatch.shed_load_count');
      t.ok(
        shed > 0 ? open < floods : counted('stop_accepting_connections.active') === 1,
        `${shed} were shed`,
      );
    }
    await until('it serves when the flood is over', async () => (await ask()) === 200);
    // What the flood left is given back little by little.
    await until(
      'and keeps a body of 4 MiB',
      async () => (await upload(outbound, { host: 'web.test', bytes: 4 * mebibyte })).status === 200,
    );
  });

  t.test(
    `${protocol}, the control: with a limit that is far off it does not`,
    { timeout: 120_000 },
    async (t) => {
      const { most, open } = await flood(t, protocol, 64 * limit);
      t.ok(most > 1.5 * limit, `${Math.round(most / mebibyte)} MiB`);
      t.equal(open, floods);
    },
  );
}
