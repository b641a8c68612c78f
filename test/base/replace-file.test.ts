import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { replaceFile, replaceFileSync } from '../../src/base/files/replace-file.ts';

const ways = {
  replaceFile,
  replaceFileSync: async (...args: Parameters<typeof replaceFileSync>) => replaceFileSync(...args),
};

for (const [name, replace] of Object.entries(ways)) {
  t.test(`${name} creates and replaces, and leaves nothing beside`, async (t) => {
    const folder = t.testdir({});
    const file = join(folder, 'state.json');
    await replace(file, 'one');
    t.equal(readFileSync(file, 'utf8'), 'one');
    t.equal(statSync(file).mode & 0o777, 0o600, 'of its owner alone');
    await replace(file, 'two', { isDurable: true, mode: 0o400 });
    t.equal(readFileSync(file, 'utf8'), 'two');
    t.equal(statSync(file).mode & 0o777, 0o400);
    await replace(file, 'three', { isShared: true });
    t.equal(readFileSync(file, 'utf8'), 'three');
    t.same(readdirSync(folder), ['state.json']);
  });

  t.test(`${name} leaves everything as it was when it fails`, async (t) => {
    const folder = t.testdir({});
    const file = join(folder, 'state');
    mkdirSync(join(file, 'full'), { recursive: true });
    await t.rejects(replace(file, 'text'), { code: 'EISDIR' }, 'a folder has the name');
    t.same(readdirSync(folder), ['state']);
    await t.rejects(replace(join(folder, 'gone', 'state'), 'text'), { code: 'ENOENT' });
  });
}

t.test('a content of several parts is written in order', async (t) => {
  const file = join(t.testdir({}), 'parts');
  await replaceFile(file, [Buffer.from('one '), Buffer.from('two')]);
  t.equal(readFileSync(file, 'utf8'), 'one two');
});

t.test('a reader sees the old content or the new one', async (t) => {
  const file = join(t.testdir({}), 'large');
  const [before, after] = [Buffer.alloc(24 * 2 ** 20, 'a'), Buffer.alloc(40 * 2 ** 20, 'b')];
  /** Sizes that a reader sees while the file is written. */
  const seenDuring = async (write: () => Promise<void>) => {
    writeFileSync(file, before);
    const seen = new Set<number>();
    let isDone = false;
    const done = write().finally(() => {
      isDone = true;
    });
    while (!isDone) {
      seen.add(statSync(file).size);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await done;
    return [...seen].filter((size) => size !== before.length && size !== after.length);
  };
  t.same(await seenDuring(() => replaceFile(file, after)), []);
  t.equal(statSync(file).size, after.length);
  t.not((await seenDuring(() => writeFile(file, after))).length, 0, 'control: written in place');
});
