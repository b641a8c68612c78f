import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { showAddress } from '../../src/model/values/listen-address.ts';
import { service, toYaml, workload } from '../registry/objects.ts';
import { until } from '../support/mesh.ts';
import { idcYaml } from '../support/objects-yaml.ts';
import { runCli } from '../support/planes/run-cli.ts';
import { startServe } from '../support/planes/served.ts';

// Which removals `isthmus diff` says are kept for the deletion grace, and which ones a control plane then
// keeps.

const group = (name: string) =>
  service(name, `${name}.shop`, { workloadSelector: { labels: { app: name } } });
const instance = (name: string, app: string) =>
  workload(name, { labels: { app }, address: `127.0.2.${name.slice(-1)}`, locality: 'sh-a' });
const kept = [group('a'), instance('w-1', 'a'), group('b'), instance('w-2', 'b'), instance('w-3', 'b')];
const before = toYaml(
  ...kept,
  instance('w-4', 'a'),
  group('gone'),
  instance('w-5', 'gone'),
  instance('w-6', 'b'),
);
// The last instance of `a` in the folder is gone as well.
const after = toYaml(...kept.filter(({ metadata: { name } }) => name !== 'w-1'));

const dir = mkdtempSync(join(tmpdir(), 'isthmus-diff-grace-'));
t.teardown(() => rmSync(dir, { recursive: true }));
writeFileSync(join(dir, 'idc.yaml'), idcYaml);
writeFileSync(join(dir, 'mesh.yaml'), after);

async function start(grace: string) {
  const served = await startServe({ files: { 'mesh.yaml': before }, flags: ['--deletion-grace', grace] });
  t.teardown(() => served.close());
  await served.ready();
  const diff = (...args: readonly string[]) =>
    runCli('diff', dir, '--admin', showAddress(served.admin), ...args);
  return { served, diff };
}

/** Objects as a message of the control plane names them. */
const named = (text: string) =>
  [...text.matchAll(/(?:ServiceEntry|WorkloadEntry) shop\/[a-z0-9-]+/g)].join().split(',').sort();

t.test('what is said to be kept is what is kept', async (t) => {
  const { served, diff } = await start('1h');
  const { out, code } = await diff();
  t.equal(code, 1);
  t.match(out, / {2}- ServiceEntry shop\/gone \(kept for 60 min: host gone\.shop\)\n/);
  t.match(out, / {2}- WorkloadEntry shop\/w-1 \(kept for 60 min: the last instance of a\.shop in sh-a\)\n/);
  t.match(out, / {2}- WorkloadEntry shop\/w-6\n/, 'others stand in');
  t.match(out, /^! 4 removals take effect 60 min later than the rest, as nothing stands in for them/m);
  const [told] = JSON.parse((await diff('-o', 'json')).out);
  t.equal(told.delayed.forMs, 3_600_000);

  served.save('mesh.yaml', after);
  let message = '';
  await until('the control plane reports what it keeps', async () => {
    const problems = JSON.parse(await served.page('/problems')) as { code: string; message: string }[];
    message = problems.find((one) => one.code === 'DeletionDelayed')?.message ?? '';
    return message !== '';
  });
  const objects = told.delayed.objects.map(({ object }: { object: string }) => object);
  t.strictSame(named(message), objects.sort());
  const rest = await diff();
  t.match(rest.out, /^Objects: 4 removed/, 'the other removal is in force');
});

t.test('the control: without a grace nothing is kept', async (t) => {
  const { served, diff } = await start('0s');
  t.notMatch((await diff()).out, /kept for|take effect/);
  t.match(JSON.parse((await diff('-o', 'json')).out), [{ delayed: { forMs: 0, objects: [] } }]);
  served.save('mesh.yaml', after);
  await until('all is removed', async () => (await diff()).code === 0);
});
