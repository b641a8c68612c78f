import t from 'tap';
import type { FilesTiming } from '../../../src/registry/files/files-source.ts';
import { startSource, TestFolder, testTiming } from '../folder-fixture.ts';
import { drGroup, idc, service, toYaml, workload } from '../objects.ts';
import type { Recorder } from '../recorder.ts';

const withDelay = (soleMs: number): FilesTiming => ({ ...testTiming, loss: { ...testTiming.loss, soleMs } });
const long = withDelay(3_600_000);
const deletions = (seen: Recorder) => seen.log().filter((word) => word.startsWith('-'));
const delayed = (seen: Recorder) => seen.current().find(({ code }) => code === 'DeletionDelayed');

/** A host with one instance, something else to delete, and something that stays: a file for each. */
function writeWorld(folder: TestFolder): void {
  folder.write('service.yaml', toYaml(service('checkout', 'checkout.shop')));
  folder.write('instance.yaml', toYaml(workload('w-1')));
  folder.write('stays.yaml', toYaml(workload('w-8', { labels: { app: 'none' } })));
  folder.write('other.yaml', toYaml(workload('w-9', { labels: { app: 'none' } })));
}

/** Deletes something else, which is gone after everything that goes at once. */
async function deleteOther(folder: TestFolder, seen: Recorder): Promise<void> {
  folder.remove('other.yaml');
  await seen.until('the other to go', () => seen.count('-WorkloadEntry/shop/w-9') === 1);
}

for (const [file, ref, lost] of [
  ['service.yaml', 'ServiceEntry shop/checkout', 'host checkout.shop'],
  ['instance.yaml', 'WorkloadEntry shop/w-1', 'the last instance of checkout.shop in sh-a'],
] as const) {
  t.test(`${file}, moved away, stays in force, is told, and is as before when it is back`, async (t) => {
    const folder = new TestFolder(t);
    writeWorld(folder);
    const { seen } = await startSource(t, folder.path, long);
    folder.move(file, `../${file}`);
    await seen.until('the report', () => delayed(seen) !== undefined);
    t.match(delayed(seen), { severity: 'warning', where: folder.path });
    t.equal(
      delayed(seen)?.message,
      `in no file any more: ${ref} (${lost}). Nothing else serves in place of it, so it stays in force for 60 min. ` +
        'Put back what is needed; or, if the deletion is meant, confirm: curl -X POST -H "Authorization: Bearer $TOKEN" http://ADMIN/confirm-deletes, with the token of --admin-token-file.',
    );
    await deleteOther(folder, seen);
    t.strictSame(deletions(seen), ['-WorkloadEntry/shop/w-9'], 'what nobody needs goes at once');
    const changes = seen.log().length;
    folder.move(`../${file}`, 'elsewhere.yaml');
    await seen.until('the end of the report', () => delayed(seen) === undefined);
    t.equal(seen.log().length, changes, 'nothing changed');
  });
}

t.test('it goes when the delay is over, and the report with it', async (t) => {
  const folder = new TestFolder(t);
  writeWorld(folder);
  const { seen } = await startSource(t, folder.path, withDelay(300));
  folder.remove('instance.yaml');
  await seen.until('the report', () => delayed(seen) !== undefined);
  t.equal(seen.count('-WorkloadEntry/shop/w-1'), 0);
  await seen.until('the deletion', () => seen.count('-WorkloadEntry/shop/w-1') === 1);
  await seen.until('the end of the report', () => delayed(seen) === undefined);
  t.strictSame(seen.errors(), []);
});

t.test('a confirmation deletes at once', async (t) => {
  const folder = new TestFolder(t);
  writeWorld(folder);
  const { seen, source } = await startSource(t, folder.path, long);
  folder.remove('service.yaml');
  await seen.until('the report', () => delayed(seen) !== undefined);
  t.equal(source.facets.deletionGuard.confirm(), 1);
  await seen.until('the deletion', () => seen.count('-ServiceEntry/shop/checkout') === 1);
  await seen.until('the end of the report', () => delayed(seen) === undefined);
});

t.test('negative control: without a delay a host is gone with its file', async (t) => {
  const folder = new TestFolder(t);
  writeWorld(folder);
  const { seen } = await startSource(t, folder.path, withDelay(0));
  folder.remove('service.yaml');
  await seen.until('the deletion', () => seen.count('-ServiceEntry/shop/checkout') === 1);
  t.notOk(delayed(seen));
});

t.test('an instance or a ServiceEntry of another name takes the place', async (t) => {
  const folder = new TestFolder(t);
  writeWorld(folder);
  const { seen } = await startSource(t, folder.path, long);
  folder.write('instance.yaml', toYaml(workload('w-2')));
  await seen.until('the old instance to go', () => seen.count('-WorkloadEntry/shop/w-1') === 1);
  folder.write('service.yaml', toYaml(service('renamed', 'checkout.shop')));
  await seen.until('the old name to go', () => seen.count('-ServiceEntry/shop/checkout') === 1);
  t.notOk(seen.reports.flat().some(({ code }) => code === 'DeletionDelayed'));
});

t.test('a DrGroup that comes back under another name gets its host at once', async (t) => {
  const folder = new TestFolder(t);
  folder.write('idcs.yaml', toYaml(idc('sh-a'), idc('sh-b')));
  folder.write('group.yaml', toYaml(drGroup('g-1', ['a.example'], 'sh-a', 'sh-b')));
  const { seen } = await startSource(t, folder.path, long);
  folder.remove('group.yaml');
  await seen.until('the report', () => delayed(seen) !== undefined);
  t.match(delayed(seen)?.message, /DrGroup g-1 \(the failover of a\.example\)/);
  folder.write('group.yaml', toYaml(drGroup('g-2', ['a.example'], 'sh-a', 'sh-b')));
  await seen.until('the new name', () => seen.count('+DrGroup//g-2') === 1);
  t.strictSame(seen.log().slice(-2), ['-DrGroup//g-1', '+DrGroup//g-2']);
  await seen.until('the end of the report', () => delayed(seen) === undefined);
  t.strictSame(seen.errors(), []);
});
