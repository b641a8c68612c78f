import { spawnSync } from 'node:child_process';
import { statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { makeFolder } from '../../src/base/files/make-folder.ts';

t.test('makes folders above, and leaves one that is there', async (t) => {
  const folder = join(t.testdir({}), 'a', 'b');
  makeFolder(folder);
  makeFolder(folder);
  t.ok(statSync(folder).isDirectory());
});

t.test('a file or a dangling link in the way is an error', async (t) => {
  const dir = t.testdir({});
  writeFileSync(join(dir, 'file'), '');
  symlinkSync(join(dir, 'nowhere', 'else'), join(dir, 'dangling'));
  t.throws(() => makeFolder(join(dir, 'file')), { code: 'EEXIST' });
  t.throws(() => makeFolder(join(dir, 'file', 'below')), { code: 'ENOTDIR' });
  t.throws(() => makeFolder(join(dir, 'dangling', 'below')), { code: 'EEXIST' });
});

t.test('ends in /proc, where folders cannot be made', async (t) => {
  // In a process of its own: a loop without end blocks the event loop, and so the time limit of the test.
  const code = `import { makeFolder } from '${new URL('../../src/base/files/make-folder.ts', import.meta.url)}'; makeFolder('/proc/isthmus')`;
  const { signal, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  t.equal(signal, null);
  t.match(stderr, /ENOENT/);
});
