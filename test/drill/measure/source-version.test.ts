import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { packageVersion } from '../../../src/base/package/version.ts';
import { sourceVersion } from '../../../src/drill/measure/source-version.ts';

t.test('version and commit of a source tree, and whether it was changed', async (t) => {
  const root = t.testdir();
  t.equal(sourceVersion(root), packageVersion, 'no clone: the version alone');
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', root, '-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  git('init', '-q');
  t.equal(sourceVersion(root), packageVersion, 'no commit yet');
  writeFileSync(join(root, 'a'), '1');
  git('add', 'a');
  git('commit', '-qm', 'a');
  const clean = `${packageVersion}, commit ${git('rev-parse', '--short=12', 'HEAD')}`;
  t.equal(sourceVersion(root), clean);
  writeFileSync(join(root, 'report'), 'not tracked');
  t.equal(sourceVersion(root), clean, 'reports are no change');
  writeFileSync(join(root, 'a'), '2');
  t.equal(sourceVersion(root), `${clean}, with local changes`);
  mkdirSync(join(root, 'below'));
  t.equal(sourceVersion(join(root, 'below')), packageVersion, 'the clone above may be of something else');
});
