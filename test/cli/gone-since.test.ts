import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { serveAdmin } from '../../src/api/admin-server.ts';
import type { SidecarScope } from '../../src/model/node.ts';
import { connectXds } from '../support/clients/xds-client.ts';
import { startMesh, until } from '../support/mesh.ts';
import { idcYaml } from '../support/objects-yaml.ts';
import { runCli } from '../support/planes/run-cli.ts';

// Since when a proxy is gone, where the rest of what isthmus status asks takes long.

/** How long who serves is read, in milliseconds. */
const readMs = 6_000;

const mesh = await startMesh('sh-a', { 'idc.yaml': idcYaml });
const admin = await serveAdmin(mesh.plane, { address: '127.0.0.1', port: 0 }, undefined);
const front = createServer(async ({ url = '' }, response) => {
  if (url.startsWith('/v1/served')) await sleep(readMs);
  const answer = await fetch(`http://127.0.0.1:${admin.port}${url}`);
  response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
  response.end(await answer.text());
});
await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
t.teardown(async () => {
  front.close();
  await admin.close();
  await mesh.close();
});

t.test('it is told by the time of the status that says it', { timeout: 300_000 }, async (t) => {
  const outbound = { address: '127.0.0.1', port: 1 };
  const scope: SidecarScope = { role: 'sidecar', idc: 'sh-a', namespace: 'test', outbound };
  const proxy = connectXds(`127.0.0.1:${mesh.plane.xds.port}`, 'delta', {
    id: 'caller',
    metadata: { isthmus: scope },
  });
  proxy.send('CDS', { resource_names_subscribe: ['*'] });
  await until('it is connected', () => mesh.plane.status().proxies.length === 1, 60_000);
  proxy.close();
  await until('it is gone', () => mesh.plane.status().gone.length === 1, 60_000);
  const goneAt = Date.now();
  const { out } = await runCli('status', '--admin', `127.0.0.1:${(front.address() as AddressInfo).port}`);
  const [, since = ''] = /caller \(sidecar\): unknown since (\S+Z)/.exec(out) ?? [];
  t.ok(Date.parse(since) <= goneAt + readMs - 1_000, `${since}, gone at ${new Date(goneAt).toISOString()}`);
  t.ok(Date.now() >= goneAt + readMs, 'control: the command took longer');
});
