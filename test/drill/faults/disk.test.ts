import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { checkDisk, fillDisk, freeDisk, mountDisk, unmountDisks } from '../../../src/drill/faults/disk.ts';

function allowed(): string | undefined {
  try {
    checkDisk();
    return undefined;
  } catch (reason) {
    return (reason as Error).message;
  }
}

const why = allowed();
const skip = why === undefined ? false : why;

t.test('a small disk is full to the last byte, and has room again', { skip }, async (t) => {
  const dir = join(t.testdir(), 'deep', 'disk');
  mountDisk(dir, 256);
  t.teardown(() => unmountDisks(dir));
  writeFileSync(join(dir, 'before'), 'x'.repeat(5000));
  const taken = fillDisk(dir, 256 * 1024);
  t.ok(taken > 200_000 && taken <= 256 * 1024, `${taken} bytes`);
  t.throws(() => writeFileSync(join(dir, 'after'), 'x'), { code: 'ENOSPC' });
  t.equal(readFileSync(join(dir, 'before'), 'utf8').length, 5000, 'what was there is there');
  freeDisk(dir);
  writeFileSync(join(dir, 'after'), 'x');
  unmountDisks(join(dir, '..'));
  t.equal(statSync(join(dir, 'after'), { throwIfNoEntry: false }), undefined);
});

t.test('a folder that is no small disk is not filled', async (t) => {
  const dir = t.testdir();
  t.throws(() => fillDisk(dir, 100_000), { message: /took \d+ bytes and is not full/ });
  freeDisk(dir);
});

t.test(
  'a user who may not mount is told so',
  { skip: process.getuid?.() === 0 ? false : 'not root' },
  async (t) => {
    const code = `import('${new URL('../../../src/drill/faults/disk.ts', import.meta.url).href}').then((m) => m.checkDisk()).catch((e) => console.log(e.code, e.message))`;
    const told = execFileSync(
      'setpriv',
      ['--bounding-set=-sys_admin', '--inh-caps=-sys_admin', process.execPath, '-e', code],
      {
        encoding: 'utf8',
      },
    );
    t.match(told, /^unsupported Cannot mount a small disk: .*needs Linux and root/);
  },
);
