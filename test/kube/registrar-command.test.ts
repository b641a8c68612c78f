import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { showAddress } from '../../src/model/values/listen-address.ts';
import { withoutKube } from '../support/kube/kube-api.ts';
import { startClusters } from '../support/kube/registrar-world.ts';
import { addReadyPod, addressesOf, releaseAll } from '../support/kube/remote.ts';
import { freeAddress, get, until } from '../support/mesh.ts';

// `isthmus registrar`, as a Deployment runs it.
const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const { NODE_OPTIONS: _, ...env } = process.env;

t.test('isthmus registrar', { skip: withoutKube }, async (t) => {
  const { primary, remote } = await startClusters(t);
  await primary.must('POST', '/api/v1/namespaces', { metadata: { name: 'isthmus-system' } });
  const base = ['registrar', '--idc', 'sh-a', '--cluster', 'apps-1'];
  const flags = [...base, '--primary-kubeconfig', primary.kubeconfig()];
  const run = (...more: string[]) => {
    const child = spawn(process.execPath, [main, ...flags, ...more], {
      ...{ env, stdio: ['ignore', 'ignore', 'pipe'] },
    });
    t.teardown(() => void child.kill('SIGKILL'));
    let log = '';
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      log += chunk;
    });
    return { child, ended: once(child, 'exit'), log: () => log };
  };

  await t.test('registers, says what it does, and gives the Lease back', async (t) => {
    await addReadyPod(remote, 'web-0', '10.1.0.1');
    const listen = await freeAddress();
    const one = run('--kubeconfig', remote.kubeconfig(), '--listen', showAddress(listen));
    await until('it is ready', async () => (await get(listen, '/readyz')).status === 200, 60_000);
    await until('the entry', async () => (await addressesOf(primary)).join() === '10.1.0.1');
    await until('it says so', async () => {
      const status = JSON.parse((await get(listen, '/status')).body);
      return status.isActive && status.entries === 1 && status.pending === 0;
    });
    t.equal((await get(listen, '/healthz')).status, 200);
    t.equal((await get(listen, '/other')).status, 404);
    one.child.kill('SIGTERM');
    t.strictSame(await one.ended, [0, null], one.log());
    const lease = '/apis/coordination.k8s.io/v1/namespaces/isthmus-system/leases/isthmus-registrar-apps-1';
    t.match(await primary.must('GET', lease), { spec: { holderIdentity: '' } });
    t.strictSame(await addressesOf(primary), ['10.1.0.1'], 'what is registered stays');
  });

  await t.test('--withdraw waits until the proxies have nothing of it any more', async (t) => {
    const { ended, child, log } = run('--withdraw');
    await until('it is deleted', async () => (await addressesOf(primary)).length === 0, 60_000);
    t.equal(child.exitCode, null, 'its finalizer keeps it');
    await releaseAll(primary);
    t.strictSame(await ended, [0, null], log());
  });

  await t.test('what is wrong with its flags is told', async (t) => {
    const said = (...more: string[]) => {
      const { status, stderr } = spawnSync(process.execPath, [main, ...more], { env, encoding: 'utf8' });
      return `${status}: ${stderr}`;
    };
    t.match(said(...flags), /^2: .*give --kubeconfig or --in-cluster/);
    t.match(said(...flags, '--in-cluster', '--kubeconfig', 'x'), /^2: .*give --kubeconfig or --in-cluster/);
    t.match(said(...flags, '--in-cluster'), /^2: .*this is not a Pod/);
    t.match(said(...base, '--primary-kubeconfig', '/none'), /^2: .*\/none cannot be read/);
    t.match(
      said('registrar', '--idc', 'sh-a', '--cluster', 'A_b'),
      /^2: .*'A_b' is not a name for a cluster/s,
    );
  });
});
