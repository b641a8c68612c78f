import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { drGroup, type RawObject, service, workload } from '../registry/objects.ts';
import { KubeApi, limitedToken, withoutKube } from '../support/kube/kube-api.ts';
import { collectionOf, defineKinds, pathOf, putObject } from '../support/kube/kube-kinds.ts';
import { proxyKubeconfig, startKubeProxy } from '../support/kube/kube-proxy.ts';
import { until } from '../support/mesh.ts';

// `isthmus release-finalizers`, as who removes Isthmus runs it.
const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const { NODE_OPTIONS: _, ...env } = process.env;
const finalizer = 'isthmus.dev/propagated';
const other = 'example.com/other';

function withFinalizers(object: RawObject, ...finalizers: readonly string[]): RawObject {
  return { ...object, metadata: { ...object.metadata, finalizers } };
}

function start(t: { teardown(end: () => void): void }, file: string, ...more: readonly string[]) {
  const child = spawn(process.execPath, [main, 'release-finalizers', '--kubeconfig', file, ...more], {
    ...{ env, stdio: ['ignore', 'pipe', 'pipe'] },
  });
  t.teardown(() => void child.kill('SIGKILL'));
  const text = { out: '', err: '' };
  child.stdout?.setEncoding('utf8').on('data', (part: string) => {
    text.out += part;
  });
  child.stderr?.setEncoding('utf8').on('data', (part: string) => {
    text.err += part;
  });
  const ended = once(child, 'close').then(([code]) => ({ code, ...text }));
  return { child, text, ended };
}

interface Stored {
  readonly metadata: { readonly name: string; readonly finalizers?: readonly string[] };
}

t.test('isthmus release-finalizers', { skip: withoutKube }, async (t) => {
  const api = await KubeApi.start(t);
  await defineKinds(api);
  for (const name of ['shop', 'pay']) await api.must('POST', '/api/v1/namespaces', { metadata: { name } });
  const run = (...more: readonly string[]) => start(t, api.kubeconfig(), ...more).ended;
  /** All that there is, but for what a write changes by itself. */
  const stored = async (kind = 'WorkloadEntry') => {
    const { items } = (await api.must('GET', collectionOf(kind))) as { items: readonly Stored[] };
    return items.map((one) => {
      const { managedFields: _, resourceVersion: __, ...metadata } = one.metadata as Record<string, unknown>;
      return { ...one, metadata } as Stored;
    });
  };
  const finalizersOf = async (object: RawObject) => {
    const { status, body } = await api.call('GET', pathOf(object));
    return status === 404 ? 'gone' : ((body as Stored).metadata.finalizers ?? []);
  };

  await t.test('nothing to do', async (t) => {
    await putObject(api, workload('w-1'));
    for (const flags of [[], ['--yes']])
      t.match(await run(...flags), {
        code: 0,
        out: /: no object has the finalizer isthmus\.dev\/propagated\.\n$/,
      });
  });

  await t.test('without --yes it tells what there is, and changes nothing', async (t) => {
    for (let at = 10; at < 30; at += 1) await putObject(api, withFinalizers(workload(`w-${at}`), finalizer));
    await putObject(api, withFinalizers(workload('w-30'), other, finalizer, 'example.com/third'));
    for (const name of ['w-10', 'w-11']) await api.must('DELETE', pathOf(workload(name)));
    await putObject(api, withFinalizers(workload('w-31'), other, finalizer));
    await api.must('DELETE', pathOf(workload('w-31')));
    await putObject(api, withFinalizers(drGroup('d', ['a.example'], 'sh-a'), finalizer));
    await putObject(api, withFinalizers(service('s', 'a.example'), other));
    const before = await stored();
    const { code, out } = await run();
    t.equal(code, 0);
    t.match(
      out,
      /\n {2}DrGroup: 1\n {2}WorkloadEntry: 22, 3 of them being deleted: these end without it\nNothing was changed/,
    );
    t.strictSame(await stored(), before);
    t.equal(
      await finalizersOf(workload('w-10')).then(String),
      finalizer,
      'negative control: deleted, and still there',
    );
  });

  await t.test('-n: only those of a namespace', async (t) => {
    const elsewhere = withFinalizers(workload('w-1'), finalizer);
    const object = { ...elsewhere, metadata: { ...elsewhere.metadata, namespace: 'pay' } };
    await putObject(api, object);
    t.match(await run('-n', 'pay', '--yes'), { code: 0, out: /Taken off 1 object: none has it any more/ });
    t.strictSame(await finalizersOf(object), []);
    t.strictSame(await finalizersOf(workload('w-12')), [finalizer]);
  });

  await t.test(
    'with --yes those being deleted go, others lose this finalizer and nothing else',
    async (t) => {
      const before = [...(await stored()), ...(await stored('DrGroup')), ...(await stored('ServiceEntry'))];
      const { code, out, err } = await run('--yes');
      t.equal(code, 0, err);
      t.match(out, /\nTaken off 23 objects: none has it any more\.\n$/);
      const after = [...(await stored()), ...(await stored('DrGroup')), ...(await stored('ServiceEntry'))];
      const expected = before
        .filter(({ metadata: { name } }) => name !== 'w-10' && name !== 'w-11')
        .map((one) => {
          const { finalizers, ...metadata } = one.metadata;
          const kept = finalizers?.filter((name) => name !== finalizer) ?? [];
          return { ...one, metadata: { ...metadata, ...(kept.length > 0 && { finalizers: kept }) } };
        });
      t.strictSame(after, expected);
      t.strictSame(await finalizersOf(workload('w-31')), [other], 'deleted, and kept by somebody else');
      t.match(await run('--yes'), { code: 0, out: /no object has the finalizer/ });
      t.strictSame(await stored(), after.slice(0, (await stored()).length), 'again: nothing changes');
    },
  );

  await t.test('a busy server, objects that change and go meanwhile: all is done all the same', async (t) => {
    for (let at = 40; at < 60; at += 1) await putObject(api, withFinalizers(workload(`w-${at}`), finalizer));
    const proxy = await startKubeProxy(t, api);
    let isBusy = true;
    const told = { 429: 0, 500: 0, list: 0 };
    const status = (code: number) => ({ answer: { status: code, body: 'busy', retryAfter: '1' } });
    proxy.spoil = (path, method) => {
      if (path.includes('/workloadentries?') && told.list++ === 0) return status(429);
      if (method !== 'PATCH') return undefined;
      if (isBusy || told[429] === 0) {
        told[429] += 1;
        return status(429);
      }
      if (told[500]++ < 2) return status(500);
      return undefined;
    };
    // What has changed after it was read: its place in the list is another one, or it is gone.
    const patch = (name: string, finalizers: readonly string[] | null) =>
      api.must('PATCH', pathOf(workload(name)), { metadata: { finalizers } });
    const one = start(t, proxyKubeconfig(api, proxy), '--yes');
    await until('it has found them', () => one.text.out.includes('WorkloadEntry: 20'), 60_000);
    await Promise.all([patch('w-58', [other, finalizer]), patch('w-57', null)]);
    await api.must('PATCH', pathOf(workload('w-59')), { metadata: { finalizers: null } });
    await api.must('DELETE', pathOf(workload('w-59')));
    isBusy = false;
    const { code, out, err } = await one.ended;
    t.equal(code, 0, err);
    t.match(out, /Taken off 20 objects: none has it any more/);
    t.match(err, /429 busy; it is tried again/);
    t.ok(told[429] > 0 && told[500] > 2 && told.list > 1, 'it was refused');
    t.strictSame(await finalizersOf(workload('w-58')), [other]);
    t.strictSame([await finalizersOf(workload('w-57')), await finalizersOf(workload('w-59'))], [[], 'gone']);
  });

  await t.test('what adds it again is told of', async (t) => {
    await putObject(api, withFinalizers(workload('w-70'), finalizer));
    const proxy = await startKubeProxy(t, api);
    // To whom releases it this looks as if another one had added it at once.
    proxy.spoil = (_path, method) =>
      method === 'PATCH' ? { answer: { status: 200, body: '{}' } } : undefined;
    const { code, out } = await start(t, proxyKubeconfig(api, proxy), '--yes').ended;
    t.equal(code, 1);
    t.match(out, /1 object has it again, after it was taken off 1\. Something adds it: end registrars/);
  });

  await t.test('interrupted while a server is busy: it says so', async (t) => {
    const proxy = await startKubeProxy(t, api);
    proxy.spoil = (_path, method) =>
      method === 'PATCH' ? { answer: { status: 429, body: 'busy', retryAfter: '60' } } : undefined;
    const one = start(t, proxyKubeconfig(api, proxy), '--yes');
    await until('it waits', () => one.text.err.includes('tried again'), 60_000);
    one.child.kill('SIGINT');
    const { code, err } = await one.ended;
    t.equal(code, 130);
    t.match(err, /Interrupted: what was released stays so/);
    t.strictSame(await finalizersOf(workload('w-70')), [finalizer]);
  });

  await t.test('refused: named with the line of the role', async (t) => {
    const { code, err } = await start(t, api.kubeconfig({ token: limitedToken }), '--yes').ended;
    t.equal(code, 2);
    t.match(err, /list idcs\.isthmus\.dev: 403 .*add to its ClusterRole/s);
    const none = await start(t, '/none').ended;
    t.match(none, { code: 2, err: /\/none cannot be read/ });
  });

  await t.test(
    'a definition that was deleted first waits for its objects: they are released, too',
    async (t) => {
      const definition =
        '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/workloadentries.networking.istio.io';
      await api.must('PATCH', pathOf(workload('w-58')), { metadata: { finalizers: null } });
      await api.must('PATCH', pathOf(workload('w-31')), { metadata: { finalizers: null } });
      await api.must('PATCH', pathOf(workload('w-30')), { metadata: { finalizers: [finalizer] } });
      await api.must('DELETE', definition);
      await until('only what has the finalizer is left', async () => {
        const { body } = await api.call('GET', collectionOf('WorkloadEntry'));
        const { items = [] } = body as { items?: readonly Stored[] };
        return items.map(({ metadata }) => metadata.name).join() === 'w-30,w-70';
      });
      const { code, out } = await run('--yes');
      t.equal(code, 0, out);
      t.match(out, /WorkloadEntry: 2, 2 of them being deleted/);
      await until('it is gone', async () => (await api.call('GET', definition)).status === 404, 60_000);
    },
  );
});
