import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openRegular, readBounded, readOpened } from '../../src/base/files/bounded-file.ts';

t.test('a file is read whole, or not at all', async (t) => {
  const dir = t.testdir({ empty: '', small: 'token\n' });
  const text = (name: string, max = 1024) => readBounded(join(dir, name), max).toString();
  t.equal(text('empty'), '');
  t.equal(text('small'), 'token\n');
  t.equal(text('small', 6), 'token\n');
  t.throws(() => text('small', 5), { message: /^it is larger than/ });
  const large = Buffer.alloc(300_000, 7);
  writeFileSync(join(dir, 'large'), large);
  t.ok(readBounded(join(dir, 'large'), 2 ** 20).equals(large));
  t.throws(() => readBounded('/dev/zero', 2 ** 20), { message: 'it is larger than 1 MiB' });
  t.throws(() => text('none'), { code: 'ENOENT' });
  t.throws(() => readBounded(dir, 10), { code: 'EISDIR' });
});

t.test('a pipe is read to its end', async (t) => {
  const pipe = join(t.testdir(), 'pipe');
  execFileSync('mkfifo', [pipe]);
  t.equal(readBounded(pipe, 10).length, 0, 'where nobody writes it is not waited for');
  const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(pipe, 'w');
  writeSync(writer, 'a token');
  closeSync(writer);
  t.equal(readBounded(pipe, 10).toString(), 'a token');
  closeSync(reader);
});

t.test('pipes, devices and folders are not read as files', async (t) => {
  const dir = t.testdir({ file: 'abc', folder: {} });
  const pipe = join(dir, 'pipe');
  execFileSync('mkfifo', [pipe]);
  symlinkSync('/dev/zero', join(dir, 'zero'));
  for (const name of ['pipe', 'zero'])
    await t.rejects(openRegular(join(dir, name)), { message: /^it is a pipe, a socket or a device/ });
  await t.rejects(openRegular(join(dir, 'folder')), { code: 'EISDIR' });
  const handle = await openRegular(join(dir, 'file'));
  t.equal((await readOpened(handle, 3)).toString(), 'abc');
  await handle.close();
  const again = await openRegular(join(dir, 'file'));
  await t.rejects(readOpened(again, 2), { message: /^it is larger than/ });
  await again.close();
});
