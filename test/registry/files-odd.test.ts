import { execFileSync } from 'node:child_process';
import { symlinkSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { checkFolder } from '../../src/registry/check-folder.ts';
import { startSource, TestFolder } from './folder-fixture.ts';
import { toYaml, workload } from './objects.ts';

const w1 = '+WorkloadEntry/shop/w-1';

t.test('a pipe with the name of a file is told, and stops nothing', async (t) => {
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

t.test('a text that is nested too deeply is told with its file, and stops nothing', async (t) => {
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
