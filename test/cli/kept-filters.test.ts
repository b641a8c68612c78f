import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { freeAddress, get, until } from '../support/mesh.ts';
import { idcYaml } from '../support/objects-yaml.ts';
import { linesOf } from '../support/planes/served.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const { NODE_OPTIONS: _, ...env } = process.env;

const dir = mkdtempSync(join(tmpdir(), 'isthmus-kept-filters-'));
t.teardown(() => rmSync(dir, { recursive: true }));
const config = join(dir, 'config');
mkdirSync(config);
writeFileSync(join(config, 'idc.yaml'), idcYaml);

/** A folder for caches. */
const newCache = () => mkdtempSync(join(dir, 'cache-'));

/** Runs `isthmus serve` without a folder for filters until it is ready, and then ends it; its log's lines. */
async function serveOnce(t: Test, cache: string, more: readonly string[] = []) {
  const [xds, admin] = [await freeAddress(), await freeAddress()];
  const addresses = ['--xds', `127.0.0.1:${xds.port}`, '--admin', `127.0.0.1:${admin.port}`];
  const args = ['serve', '--idc', 'sh-a', '--config', config, '--log-level', 'debug'];
  const child = spawn(process.execPath, [main, ...args, ...addresses, ...more], {
    env: { ...env, XDG_CACHE_HOME: cache },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.teardown(() => void child.kill('SIGKILL'));
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  await until('it is ready', async () => (await get(admin, '/readyz')).status === 200, 240_000);
  child.kill('SIGTERM');
  t.equal(await ended, 0);
  return linesOf(log);
}

/** How many filters a start has compiled, and how many it has found. */
function madeAndFound(lines: readonly { readonly msg: string }[]): readonly [number, number] {
  const count = (what: RegExp) => lines.filter(({ msg }) => what.test(msg)).length;
  return [count(/^filter compiled$/), count(/^filter loaded, compiled earlier$/)];
}

t.test(
  'a second start finds the filters of the first in the user’s cache',
  { timeout: 300_000 },
  async (t) => {
    const cache = newCache();
    const [made, none] = madeAndFound(await serveOnce(t, cache));
    t.ok(made > 0);
    t.equal(none, 0);
    t.equal(readdirSync(join(cache, 'isthmus/filters')).length, made);
    t.strictSame(madeAndFound(await serveOnce(t, cache)), [0, made]);
  },
);

t.test('nothing is taken from a folder that others may write', { timeout: 300_000 }, async (t) => {
  const cache = newCache();
  mkdirSync(join(cache, 'isthmus'));
  chmodSync(join(cache, 'isthmus'), 0o777);
  const [made] = madeAndFound(await serveOnce(t, cache));
  t.ok(made > 0);
  t.strictSame(readdirSync(join(cache, 'isthmus')), []);
});

t.test('a folder that an option names comes first', { timeout: 300_000 }, async (t) => {
  const cache = newCache();
  const own = join(cache, 'own');
  const [made] = madeAndFound(await serveOnce(t, cache, ['--filters', own]));
  t.equal(readdirSync(own).length, made);
  t.notOk(existsSync(join(cache, 'isthmus/filters')));
});
