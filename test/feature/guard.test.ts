import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { serveAdmin } from '../../src/api/admin-server.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import type { GuardLimits } from '../../src/delivery/deletion/guard.ts';
import { startControlPlane } from '../../src/plane/controlplane.ts';
import { openSource } from '../../src/registry/open.ts';
import { createRegistrationsSource } from '../../src/registry/registrations/registrations-source.ts';
import { buildBootstrap } from '../../src/translate/bootstrap.ts';
import { findEnvoy } from '../support/envoy.ts';
import { freeAddress, get, until } from '../support/mesh.ts';
import { groupYaml, idcYaml } from '../support/objects-yaml.ts';
import { callApi, token } from '../support/planes/registering.ts';

// The deletion guard with real Envoys that are stopped, killed, or left alone by their control plane.

const dir = mkdtempSync(join(tmpdir(), 'isthmus-guard-'));
const config = mkdtempSync(join(dir, 'config-'));
writeFileSync(join(config, 'idc.yaml'), idcYaml);
writeFileSync(join(config, 'echo.yaml'), groupYaml('echo'));
const keepAlive = setInterval(() => {}, 1000);
const xds = await freeAddress();
const clock = systemClock;
const children = new Set<ChildProcess>();
t.teardown(() => {
  clearInterval(keepAlive);
  for (const child of children) child.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
});

/** A control plane, again and again on the same address and the same file. */
async function startPlane(deletionLimits: Partial<GuardLimits> = {}) {
  const registrations = createRegistrationsSource({ file: join(dir, 'r.db'), clock });
  const plane = await startControlPlane({
    ...{ idc: 'sh-a', xds, hopLimit: 1, clock, logger: silentLogger, deletionLimits },
    sources: [openSource(config, { clock }), registrations],
  });
  const context = { idc: 'sh-a', plane, registrations, clock };
  const admin = await serveAdmin(plane, { address: '127.0.0.1', port: 0 }, token, { registrations: context });
  return {
    plane,
    api: (method: string, path: string, body?: object) => callApi(admin.port, method, path, body),
    async register(name: string) {
      const body = {
        address: '10.0.0.1',
        ports: { http: 80 },
        labels: { app: 'echo' },
        locality: 'sh-a',
        ttl: '1h',
      };
      const answer = await callApi(admin.port, 'PUT', `/shop/${name}?wait=acked`, body);
      if (answer.body.acked !== true) throw new Error(JSON.stringify(answer.body));
    },
    async close() {
      await admin.close();
      await plane.close();
    },
  };
}

async function startCaller(id: string): Promise<ChildProcess> {
  const [admin, outbound] = [await freeAddress(), await freeAddress()];
  const file = join(dir, `${id}.json`);
  const scope = { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound } as const;
  writeFileSync(file, JSON.stringify(buildBootstrap({ id, scope, xds: [xds], admin })));
  const args = ['-c', file, '--concurrency', '1', '--disable-hot-restart', '-l', 'error'];
  const child = spawn(findEnvoy(), args, { stdio: 'ignore' });
  children.add(child);
  await until(`${id} is ready`, async () => (await get(admin, '/ready')).status === 200);
  return child;
}

let plane = await startPlane();
const released = async (cause: string) => {
  const text = await plane.plane.metrics.registry.metrics();
  return Number(
    new RegExp(`isthmus_deletions_released_total\\{cause="${cause}"[^}]*\\} (\\d+)`).exec(text)?.[1] ?? 0,
  );
};
await startCaller('steady');
let stuck = await startCaller('stuck');
const isSynced = () =>
  plane.plane.status().proxies.length === 2 &&
  plane.plane.status().proxies.every(({ types }) => types.EDS?.state === 'SYNCED');

t.test('a stopped Envoy holds a deletion, by name, until it goes on', { timeout: 120_000 }, async (t) => {
  await plane.register('a');
  stuck.kill('SIGSTOP');
  const waiting = await plane.api('DELETE', '/shop/a?wait=acked&timeout=1s');
  t.match(waiting, { status: 202, body: { state: 'leaving', acked: false, waitingFor: ['stuck'] } });
  t.match((await plane.api('GET', '/shop/a')).body, { state: 'leaving', waitingFor: ['stuck'] });
  const again = plane.api('DELETE', '/shop/a?wait=acked');
  stuck.kill('SIGCONT');
  t.match(await again, { status: 200, body: { state: 'gone', acked: true, forgiven: undefined } });
});

t.test('also over a restart of the control plane in between', { timeout: 120_000 }, async (t) => {
  await plane.register('a2');
  stuck.kill('SIGSTOP');
  await plane.close();
  plane = await startPlane();
  await until('the other one is back', () => plane.plane.status().proxies.length >= 1);
  const waiting = await plane.api('DELETE', '/shop/a2?wait=acked&timeout=2s');
  t.match(waiting, { status: 202, body: { acked: false } });
  t.ok(waiting.body.waitingFor.includes('stuck'), 'it is remembered that it had it');
  stuck.kill('SIGCONT');
  const gone = await plane.api('DELETE', '/shop/a2?wait=acked');
  t.match(gone, { status: 200, body: { state: 'gone', acked: true, forgiven: undefined } });
  await until('all are in sync', isSynced);
});

t.test('a stopped Envoy holds a deletion only to its limit', { timeout: 120_000 }, async (t) => {
  await plane.close();
  plane = await startPlane({ ackMsMax: 2_000 });
  await until('all are in sync', isSynced);
  await plane.register('b');
  stuck.kill('SIGSTOP');
  const gone = await plane.api('DELETE', '/shop/b?wait=acked&timeout=1m');
  stuck.kill('SIGCONT');
  t.match(gone, { status: 200, body: { state: 'gone', acked: true, forgiven: ['stuck'] } });
  t.equal(await released('limit'), 1);
});

t.test('nor can one that is killed and does not come back', { timeout: 120_000 }, async (t) => {
  await plane.close();
  plane = await startPlane({ reconnectMsMax: 6_000 });
  await until('all are in sync', isSynced);
  await plane.register('c');
  stuck.kill('SIGKILL');
  await until('its stream has ended', () => plane.plane.status().proxies.length === 1);
  const gone = await plane.api('DELETE', '/shop/c?wait=acked&timeout=1m');
  t.match(gone, { status: 200, body: { state: 'gone', acked: true, forgiven: ['stuck'] } });
  t.equal(await released('disconnected'), 1);
  stuck = await startCaller('stuck');
  await plane.register('d');
  const next = await plane.api('DELETE', '/shop/d?wait=acked&timeout=1m');
  t.match(next, { status: 200, body: { state: 'gone', forgiven: undefined } });
});

t.test('the end', async () => plane.close());
