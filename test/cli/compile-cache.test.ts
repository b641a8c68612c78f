import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** Runs a command with this folder for caches. */
function isthmus(cache: string, more: Readonly<Record<string, string>> = {}) {
  const { NODE_OPTIONS: _, NODE_V8_COVERAGE: __, NODE_COMPILE_CACHE: ___, ...env } = process.env;
  const all = { ...env, XDG_CACHE_HOME: cache, ...more };
  return spawnSync(process.execPath, [main, 'evacuate', '--help'], { encoding: 'utf8', env: all });
}

t.test('compiled code is cached only in a folder that belongs to the user alone', async (t) => {
  const own = t.testdir({});
  t.equal(isthmus(own).status, 0);
  t.not(readdirSync(join(own, 'isthmus')).length, 0);

  const open = t.testdir({ isthmus: {} });
  chmodSync(join(open, 'isthmus'), 0o777);
  t.equal(isthmus(open).status, 0);
  t.strictSame(readdirSync(join(open, 'isthmus')), [], 'somebody else may write there');

  const shut = join(own, 'shut');
  mkdirSync(shut);
  t.equal(isthmus(join(shut, 'file'), { NODE_COMPILE_CACHE: join(own, 'other') }).status, 0);
  t.notOk(existsSync(join(shut, 'file')), 'another folder was named');
  t.equal(isthmus('/dev/null').status, 0, 'no folder can be made');
  t.equal(isthmus('here').status, 0);
  t.notOk(existsSync('here'), 'a relative one is not taken');
});

t.test('only the requested command is loaded, and all commands for the help', async (t) => {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const run = (...args: string[]) => spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', env });
  const all = run('--help').stdout;
  for (const name of ['serve', 'status', 'validate', 'bootstrap', 'capacity', 'run', 'deregister', 'drill'])
    t.match(all, new RegExp(`\\n  ${name} `));
  t.match(run('evacuat').stderr, /Did you mean evacuate\?/);
  t.match(run('help', 'evacuate').stdout, /Usage: isthmus evacuate/);
  t.match(run('constructor').stderr, /unknown command/);
});
