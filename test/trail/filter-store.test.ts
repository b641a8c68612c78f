import { cp, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import type { FilterPolicy } from '../../src/trail/canonical.ts';
import { createPolicyCompiler } from '../../src/trail/compile.ts';
import { readStored, writeStored } from '../../src/trail/filter-store.ts';

const policy: FilterPolicy = {
  idc: 'sh-b',
  peers: ['sh-a', 'bj-a'],
  hopLimit: 2,
  listener: 'ingress-peer',
  enforce: true,
};
const other: FilterPolicy = { ...policy, hopLimit: 3 };

async function folder(t: Test): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-store-'));
  t.teardown(() => rm(dir, { recursive: true }));
  return dir;
}

/** Compiles as a process would that has just started; says which of the filters it had to compile. */
async function start(
  storeDir: string,
  policies: readonly FilterPolicy[],
  sourceDir?: string,
): Promise<{ readonly bytes: readonly Uint8Array[]; readonly told: readonly string[] }> {
  const told: string[] = [];
  const logger = { ...silentLogger, info: (message: string) => void told.push(message) };
  const compiler = createPolicyCompiler(
    { logger, clock: systemClock, storeDir },
    sourceDir === undefined ? {} : { sourceDir },
  );
  const artefacts = [];
  for (const policy of policies) artefacts.push(await compiler.compile(policy));
  await compiler.close();
  return { bytes: artefacts.map(({ bytes }) => bytes), told };
}

t.test('what one process has compiled the next one finds', async (t) => {
  const dir = join(await folder(t), 'filters');
  const first = await start(dir, [policy, other]);
  t.same(first.told, ['filter compiled', 'filter compiled']);
  const second = await start(dir, [policy, other]);
  t.same(second.told, ['filter loaded, compiled earlier', 'filter loaded, compiled earlier']);
  t.same(second.bytes, first.bytes);
  const third = await start(dir, [{ ...policy, peers: ['sh-a'] }]);
  t.same(third.told, ['filter compiled'], 'another policy is another file');
});

t.test('a file that is damaged, or of another policy, is not used, and is mended', async (t) => {
  const dir = await folder(t);
  const { bytes } = await start(dir, [policy]);
  const [name] = await readdir(dir);
  const file = join(dir, name as string);
  const { bytes: others } = await start(await folder(t), [other]);
  const good = bytes[0] as Uint8Array;
  for (const [what, content] of [
    ['half of it', good.slice(0, 900)],
    ['nothing', new Uint8Array()],
    ['another hop limit', others[0] as Uint8Array],
  ] as const) {
    await writeFile(file, content);
    const again = await start(dir, [policy]);
    t.same(again.told, ['filter compiled'], what);
    t.same(again.bytes[0], good, what);
    t.same(new Uint8Array(await readFile(file)), good, `${what}: mended`);
  }
});

t.test('other sources of the filter are other files', async (t) => {
  const dir = await folder(t);
  await start(dir, [policy]);
  const sourceDir = await folder(t);
  await cp(fileURLToPath(new URL('../../wasm/assembly', import.meta.url)), sourceDir, { recursive: true });
  await writeFile(
    join(sourceDir, 'index.ts'),
    `${await readFile(join(sourceDir, 'index.ts'), 'utf8')}\n// changed\n`,
  );
  t.same((await start(dir, [policy], sourceDir)).told, ['filter compiled']);
});

t.test('a folder that cannot be written costs time and nothing else', async (t) => {
  const file = join(await folder(t), 'a-file');
  await writeFile(file, '');
  t.same((await start(join(file, 'filters'), [policy])).told, ['filter compiled']);
});

t.test('the oldest files are removed', async (t) => {
  const dir = await folder(t);
  for (let index = 0; index < 130; index++) {
    await writeStored(join(dir, `${index}.wasm`), Uint8Array.of(index));
    await utimes(join(dir, `${index}.wasm`), index, index);
  }
  t.equal((await readdir(dir)).length, 128);
  t.equal(await readStored(join(dir, '0.wasm')), undefined);
  t.same(await readStored(join(dir, '129.wasm')), Uint8Array.of(129));
});
