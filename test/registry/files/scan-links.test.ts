import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { scanFolder } from '../../../src/registry/files/scan.ts';

/** Folders that have links to each other. */
function tangle(root: string, count: number): void {
  const names = Array.from({ length: count }, (_, i) => `d${i}`);
  for (const name of names) mkdirSync(join(root, name));
  for (const name of names)
    for (const other of names) if (other !== name) symlinkSync(`../${other}`, join(root, name, other));
  writeFileSync(join(root, 'd0', 'a.yaml'), '');
}

t.test('folders that link to each other are found by every way', async (t) => {
  const root = t.testdir();
  tangle(root, 3);
  const { files, folders } = await scanFolder(root);
  t.equal(folders.size, 16, 'the root, and each sequence of up to three');
  t.equal(files.size, 5);
});

t.test('eight of them, with a hundred thousand paths, are reported', async (t) => {
  const root = t.testdir();
  tangle(root, 8);
  await t.rejects(scanFolder(root), /more than 10000 folders.*lead to each other/);
});
