import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { workload } from '../registry/objects.ts';
import { KubeApi, withoutKube } from '../support/kube/kube-api.ts';
import { defineKinds, pathOf, putObject } from '../support/kube/kube-kinds.ts';
import { watchWorld } from '../support/kube/kube-world.ts';

// What people do to an API server that has failed: a backup of etcd, a new certificate.

t.test('etcd is restored from a backup: what the backup has counts', { skip: withoutKube }, async (t) => {
  const api = await KubeApi.start(t);
  await defineKinds(api);
  await api.must('POST', '/api/v1/namespaces', { metadata: { name: 'shop' } });
  for (let at = 0; at < 20; at += 1) await putObject(api, workload(`w-${at}`));
  const stop = () => Promise.all([api.stopServer(), api.stopEtcd()]);
  const start = async () => {
    await api.startEtcd();
    await api.startServer();
  };
  await stop();
  const [data, backup] = [join(api.folder, 'etcd'), join(api.folder, 'backup')];
  cpSync(data, backup, { recursive: true });
  await start();
  const { seen, source, started } = watchWorld(t, api.kubeconfig());
  await started;

  // After the backup: one is added, one changed, one deleted; and the version runs far ahead of the backup's.
  await putObject(api, workload('w-new'));
  await api.must('DELETE', pathOf(workload('w-1')));
  for (let weight = 2; weight < 40; weight += 1) await putObject(api, workload('w-0', { weight }));
  const weightOf = (name: string) => {
    const object = seen.state().get(`WorkloadEntry/shop/${name}`);
    return object?.kind === 'WorkloadEntry' ? (object.spec.weight ?? 1) : undefined;
  };
  await seen.until('the last change', () => weightOf('w-0') === 39);
  t.equal([...source.objects()].length, 20);

  await stop();
  rmSync(data, { recursive: true });
  cpSync(backup, data, { recursive: true });
  await start();
  await seen.until(
    'the state of the backup',
    () => seen.state().has('WorkloadEntry/shop/w-1') && !seen.state().has('WorkloadEntry/shop/w-new'),
    60_000,
  );
  t.equal(weightOf('w-0'), 1);
  t.equal([...source.objects()].length, 20);
  t.notOk(
    seen.log().some((word) => word.startsWith('-') && !/w-1$|w-new$/.test(word)),
    'nothing went that is in both',
  );
  await putObject(api, workload('w-2', { weight: 5 }));
  await seen.until('a change after it', () => weightOf('w-2') === 5);
});

t.test('the API server gets a new certificate: its file is read again', { skip: withoutKube }, async (t) => {
  const api = await KubeApi.start(t);
  await defineKinds(api);
  await api.must('POST', '/api/v1/namespaces', { metadata: { name: 'shop' } });
  await putObject(api, workload('w-0'));
  const followed = watchWorld(t, api.kubeconfig());
  // One whose authority is written in its kubeconfig.
  const fixed = watchWorld(t, api.kubeconfig({ token: 'admintoken' }, api.url, 'inline'));
  await Promise.all([followed.started, fixed.started]);

  await api.stopServer();
  rmSync(join(api.folder, 'certs'), { recursive: true });
  await api.startServer();
  await putObject(api, workload('w-1'));
  await followed.seen.until(
    'what came after it',
    () => followed.seen.count('+WorkloadEntry/shop/w-1') === 1,
    30_000,
  );
  await followed.seen.until('nothing to be told', () => followed.seen.errors().length === 0);

  await fixed.seen.until('a word', () =>
    fixed.seen.errors().some(({ message }) => /certificate.*is not accepted/.test(message)),
  );
  t.equal(fixed.seen.state().size, 1, 'negative control: one that may not trust it has what it had');
});
