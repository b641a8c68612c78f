import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { serveAdmin } from '../../src/api/admin-server.ts';
import { systemClock as clock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { startControlPlane } from '../../src/plane/controlplane.ts';
import { openSource } from '../../src/registry/open.ts';
import { createRegistrationsSource } from '../../src/registry/registrations/registrations-source.ts';
import { freeAddress } from '../support/mesh.ts';
import { groupYaml, idcYaml } from '../support/objects-yaml.ts';
import { callApi, token } from '../support/planes/registering.ts';
import { runEcho } from '../support/planes/run-instance.ts';

const dir = mkdtempSync(join(tmpdir(), 'isthmus-away-'));
const config = mkdtempSync(join(dir, 'config-'));
writeFileSync(join(config, 'idc.yaml'), idcYaml);
writeFileSync(join(config, 'echo.yaml'), groupYaml('echo'));
const [xds, adminAddress, app] = [await freeAddress(), await freeAddress(), await freeAddress()];
const keepAlive = setInterval(() => {}, 1000);
t.teardown(() => {
  clearInterval(keepAlive);
  rmSync(dir, { recursive: true, force: true });
});

async function startPlane() {
  const registrations = createRegistrationsSource({ file: join(dir, 'r.db'), clock });
  const sources = [openSource(config, { clock }), registrations];
  const plane = await startControlPlane({
    idc: 'sh-a',
    xds,
    hopLimit: 1,
    clock,
    logger: silentLogger,
    sources,
  });
  const admin = await serveAdmin(plane, adminAddress, token, {
    registrations: { idc: 'sh-a', plane, registrations, clock },
  });
  return async () => {
    await admin.close();
    await plane.close();
  };
}

const item = async () => (await callApi(adminAddress.port, 'GET', '')).body.items[0];

t.test(
  'CMD continues while the control plane is away, and is registered again with the same generation',
  async (t) => {
    const run = runEcho(adminAddress.port, app.port, 'x', {
      flags: ['--address', '127.0.0.1', '--ttl', '3s', '--drain-timeout', '1s', '--linger', '0s'],
    });
    t.teardown(() => run.child.kill('SIGKILL'));
    // It is started before its control plane.
    await run.said(/does not answer.*CMD goes on/);
    let close = await startPlane();
    await run.said(/registered shop\/echo/);
    const first = await item();
    t.equal(first.state, 'ready');

    await close();
    await run.said(/(does not answer.*){2}/s);
    t.equal(run.child.exitCode, null);
    close = await startPlane();
    await run.said(/(the control plane is back.*){2}/s);
    t.match(await item(), { state: 'ready', generation: first.generation });

    // Its lease runs out while it cannot be heard: the same life comes back.
    run.child.kill('SIGSTOP');
    for (let state = 'ready'; state === 'ready'; ) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      state = (await item())?.state ?? 'none';
    }
    run.child.kill('SIGCONT');
    await run.said(/(registered shop\/echo.*){2}/s);
    t.match(await item(), { state: 'ready', generation: first.generation });

    await close();
    run.child.kill('SIGTERM');
    t.equal(await run.ended, 0, 'a control plane that is away cannot keep it');
    t.match(run.err(), /not deregistered: the control plane does not answer/);
  },
);
