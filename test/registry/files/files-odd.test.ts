import { execFileSync } from 'node:child_process';
import { symlinkSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { openFailbackStore } from '../../../src/failback/store.ts';
import type { Finding } from '../../../src/model/finding.ts';
import { checkFolder } from '../../../src/registry/check/check-inputs.ts';
import { createEvacuationsSource } from '../../../src/registry/evacuations/evacuations-source.ts';
import { readContent } from '../../../src/registry/files/documents.ts';
import { readHeader, readSnapshot } from '../../../src/registry/lastgood/snapshot-file.ts';
import { readStored } from '../../../src/trail/filter-store.ts';
import { watchLoopTurns } from '../../support/loop-turns.ts';
import { startSource, TestFolder } from '../folder-fixture.ts';
import { toYaml, workload } from '../objects.ts';

const w1 = '+WorkloadEntry/shop/w-1';

t.test('a pipe with the name of a file is reported, and blocks nothing', async (t) => {
  const folder = new TestFolder(t);
  folder.write('mesh.yaml', toYaml(workload('w-1')));
  const { seen } = await startSource(t, folder.path);
  execFileSync('mkfifo', [folder.at('pipe.yaml')]);
  await seen.until('the problem', () => seen.errors().length === 1);
  t.match(seen.errors()[0], {
    where: folder.at('pipe.yaml'),
    message: /^cannot be read: it is a pipe.*remove it/,
  });
  folder.write('mesh.yaml', toYaml(workload('w-1', { weight: 2 })));
  await seen.until('a change elsewhere', () => seen.count(w1) === 2);
  t.match((await checkFolder(folder.path)).problems[0], { severity: 'error', message: /it is a pipe/ });
  folder.remove('pipe.yaml');
  await seen.until('the end of it', () => seen.errors().length === 0);
});

t.test('a link to a pipe, in the place of a file, keeps what the file held', async (t) => {
  const folder = new TestFolder(t);
  folder.write('mesh.yaml', toYaml(workload('w-1')));
  folder.write('other.yaml', toYaml(workload('w-9')));
  const { seen } = await startSource(t, folder.path);
  const pipe = join(folder.path, '..', 'pipe');
  execFileSync('mkfifo', [pipe]);
  symlinkSync(pipe, folder.at('link'));
  folder.move('link', 'mesh.yaml');
  await seen.until('the problem', () => seen.errors().length === 1);
  t.match(seen.errors()[0], { message: /it is a pipe/ });
  folder.remove('other.yaml');
  await seen.until('a deletion elsewhere', () => seen.count('-WorkloadEntry/shop/w-9') === 1);
  t.equal(seen.count('-WorkloadEntry/shop/w-1'), 0);
  t.equal(seen.errors().length, 1, 'told once');
  folder.replace('mesh.yaml', toYaml(workload('w-1', { weight: 2 })));
  await seen.until('the file', () => seen.count(w1) === 2 && seen.errors().length === 0);
});

t.test('a file that is too large is told, not read', async (t) => {
  const folder = new TestFolder(t);
  folder.write('mesh.yaml', toYaml(workload('w-1')));
  folder.write('huge.yaml', '');
  truncateSync(folder.at('huge.yaml'), 256 * 1024 * 1024 + 1);
  const { objects, problems } = await checkFolder(folder.path);
  t.equal(objects.length, 1);
  t.match(problems[0], { where: folder.at('huge.yaml'), message: /larger than 256 MiB; split it/ });
});

t.test('a file of many objects does not stop the event loop while it is read', async (t) => {
  const folder = new TestFolder(t);
  const text = Array.from({ length: 40_000 }, (_, i) => toYaml(workload(`w-${i}`))).join('');
  folder.write('mesh.yaml', text);
  const turns = watchLoopTurns();
  const content = await readContent('mesh.yaml', text);
  const longestMs = turns.stop();
  t.equal(content.entries.length, 40_000);
  // Read at once it is all in one turn.
  const cpu = process.threadCpuUsage();
  await readContent('mesh.yaml', text);
  const { user, system } = process.threadCpuUsage(cpu);
  const allMs = (user + system) / 1000;
  t.ok(longestMs < allMs / 4, `${longestMs} of ${allMs} ms`);
});

t.test('a document that would block it is refused with a reason', async (t) => {
  const folder = new TestFolder(t);
  folder.write('mesh.yaml', toYaml(workload('w-1')));
  const { seen } = await startSource(t, folder.path);
  const bomb = (levels: number) =>
    Array.from(
      { length: levels },
      (_, i) => `a${i}: &a${i} [${Array(10).fill(i === 0 ? 'x' : `*a${i - 1}`)}]\n`,
    ).join('');
  const fields = Array.from({ length: 5_000 }, (_, i) => `  k${i}: v\n`).join('');
  const merges = Array.from({ length: 12_000 }, (_, i) => `m${i}: {<<: *base}\n`).join('');
  const odd: readonly [string, RegExp][] = [
    [
      `a: ${'x'.repeat(8 * 2 ** 20)}\n`,
      /^too much to read: a document of 9 MiB, and one may have 8: put objects apart/,
    ],
    [bomb(30), /its aliases stand for more than 1 million values: write out/],
    [`base: &base\n${fields}${merges}`, /its merges .* may copy too many fields: write them out/],
  ];
  for (const [i, [text, words]] of odd.entries()) {
    const turns = watchLoopTurns();
    folder.write(`odd-${i}.yaml`, text);
    await seen.until('the problem', () => seen.errors().length === i + 1);
    t.match(seen.errors()[i], { where: new RegExp(`odd-${i}\\.yaml:1:1$`), message: words });
    const ms = turns.stop();
    t.ok(ms < 1000, `${i}: ${ms} ms`);
  }
  folder.write('mesh.yaml', toYaml(workload('w-1', { weight: 2 })));
  await seen.until('a change elsewhere', () => seen.count(w1) === 2);
});

t.test('aliases and merges as people write them are read', async (t) => {
  const text = `apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: w-1, namespace: shop, labels: &labels {app: checkout}}
spec:
  address: 10.1.0.1
  labels: {<<: *labels, tier: "1"}
  locality: sh-a/z1
`;
  const { entries } = await readContent('m.yaml', text);
  t.match(entries[0]?.object, { spec: { labels: { app: 'checkout', tier: '1' } } });
});

t.test('text that is nested too deeply is reported with its file, and blocks nothing', async (t) => {
  const folder = new TestFolder(t);
  folder.write('mesh.yaml', toYaml(workload('w-1')));
  const nested = (depth: number) => `a: ${'['.repeat(depth)}${']'.repeat(depth)}\n`;
  folder.write('deep.yaml', `---\n${nested(20_000)}`);
  // Deep enough for the parser that looks up positions, at most.
  for (const depth of [500, 1000, 2000, 4000]) folder.write(`deep-${depth}.yaml`, nested(depth));
  const { objects, problems } = await checkFolder(folder.path);
  t.equal(objects.length, 1);
  const told = problems.find(({ where }) => where.startsWith(folder.at('deep.yaml')));
  t.match(told, { severity: 'error', where: /deep\.yaml:\d+:\d+$/, message: /^not YAML: nested too deeply/ });
  t.equal(new Set(problems.map(({ where }) => where.split(':')[0])).size, 5, 'each of these files is named');
  const { seen } = await startSource(t, folder.path);
  folder.write('mesh.yaml', toYaml(workload('w-1', { weight: 2 })));
  await seen.until('a change elsewhere', () => seen.count(w1) === 2);
});

t.test('a pipe in the folder of --state is reported, and not waited for', { timeout: 20_000 }, async (t) => {
  const dir = t.testdir();
  const pipe = (name: string) => {
    execFileSync('mkfifo', [join(dir, name)]);
    return join(dir, name);
  };
  const words = /it is a pipe, a socket or a device/;
  await t.rejects(readSnapshot(pipe('registry-files.jsonl')), { message: words });
  await t.rejects(readHeader(join(dir, 'registry-files.jsonl')), { message: words });
  t.equal(await readStored(pipe('edge.wasm')), undefined);
  const warned: string[] = [];
  const logger = { ...silentLogger, warn: (message: string) => void warned.push(message) };
  pipe('failback.json');
  t.strictSame(openFailbackStore(dir, logger).saved, {});
  t.match(warned, [/failback\.json is not used/]);
  const problems: string[] = [];
  const source = createEvacuationsSource({ file: pipe('evacuations.json'), clock: systemClock });
  const sink = {
    changes() {},
    problems: (list: readonly Finding[]) => void problems.push(...list.map(({ message }) => message)),
  };
  const stop = new AbortController();
  await source.start(sink, stop.signal);
  stop.abort();
  t.match(problems, [words]);
});
