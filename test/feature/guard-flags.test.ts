import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { connectXds } from '../support/clients/xds-client.ts';
import { freeAddress, get, until } from '../support/mesh.ts';
import { groupYaml, idcYaml } from '../support/objects-yaml.ts';
import { callApi, token } from '../support/planes/registering.ts';

// `isthmus serve` with limits of its own for the deletion guard, and a proxy that never confirms.
const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const { NODE_OPTIONS: _, ...env } = process.env;

for (const [ackLimit, reconnectLimit] of [
  ['1s', '1h'],
  ['1h', '1s'],
] as const) {
  const silent = ackLimit === '1s';
  t.test(`--deletion-ack-limit ${ackLimit}, --deletion-reconnect-limit ${reconnectLimit}`, async (t) => {
    const dir = mkdtempSync(join(tmpdir(), 'isthmus-guard-flags-'));
    writeFileSync(join(dir, 'idc.yaml'), idcYaml);
    writeFileSync(join(dir, 'echo.yaml'), groupYaml('echo'));
    writeFileSync(join(dir, '.token'), token);
    const [xds, admin] = [await freeAddress(), await freeAddress()];
    const at = ({ port }: { port: number }) => `127.0.0.1:${port}`;
    const flags = ['--idc', 'sh-a', '--config', dir, '--registrations', join(dir, '.r.db')];
    flags.push('--filters', join(dir, '.filters'));
    const ports = ['--xds', at(xds), '--admin', at(admin), '--admin-token-file', join(dir, '.token')];
    const limits = ['--deletion-ack-limit', ackLimit, '--deletion-reconnect-limit', reconnectLimit];
    const child = spawn(process.execPath, [main, 'serve', ...flags, ...ports, ...limits], {
      env,
      stdio: 'ignore',
    });
    const isthmus = { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound: await freeAddress() };
    await until('it is ready', async () => (await get(admin, '/readyz')).status === 200);
    const proxy = connectXds(at(xds), 'delta', { id: 'proxy', metadata: { isthmus } });
    t.teardown(async () => {
      proxy.close();
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('exit', resolve));
      rmSync(dir, { recursive: true });
    });
    const body = { address: '10.0.0.1', ports: { http: 80 }, labels: { app: 'echo' }, ttl: '1h' };
    const api = (method: string, query = '', sent?: object) =>
      callApi(admin.port, method, `/shop/a${query}`, sent);
    proxy.send('CDS', { resource_names_subscribe: ['*'] });
    proxy.ack(await proxy.next());
    proxy.send('EDS', { resource_names_subscribe: ['instances/echo.shop:80'] });
    proxy.ack(await proxy.next());
    const registered = api('PUT', '?wait=acked', body);
    proxy.ack(await proxy.next());
    t.match(await registered, { status: 201, body: { acked: true } });
    const counted = async () => (await get(admin, '/metrics')).body.match(/^isthmus_registrations\{.*$/gm);
    t.match(await counted(), [/state="ready".* 1$/, /state="draining".* 0$/, /state="leaving".* 0$/]);
    if (!silent) proxy.close();
    const asked = performance.now();
    const gone = await api('DELETE', '?wait=acked&timeout=100s');
    t.match(gone, { status: 200, body: { state: 'gone', forgiven: ['proxy'] } });
    t.ok(performance.now() - asked > 900, 'not before its limit');
    await until('it is let go', async () => (await counted())?.every((line) => / 0$/.test(line)) === true);
  });
}
