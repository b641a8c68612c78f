import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = new URL('../../', import.meta.url);
const main = fileURLToPath(new URL('src/cli/main.ts', root));

// The test runner's own loaders are not the users'.
const { NODE_OPTIONS: _, ...env } = process.env;

/** The command on a Node that says that it is of `version`. */
function isthmusOn(version: string, ...args: string[]): { code: number | null; out: string; err: string } {
  const claim = `
    Object.defineProperty(process, 'version', { value: 'v${version}' });
    Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } });`;
  const preload = ['--import', `data:text/javascript,${encodeURIComponent(claim)}`];
  const run = spawnSync(process.execPath, [...preload, main, ...args], { encoding: 'utf8', env });
  return { code: run.status, out: run.stdout, err: run.stderr };
}

// A Node that is really old runs the built package in test/feature/package.test.ts.
t.test('on an older Node each command names the required version and its own', async (t) => {
  const commands = ['serve', 'status', 'validate', 'bootstrap', 'run', 'drill', '--help', '--version', ''];
  for (const version of ['18.20.8', '20.20.2', '23.11.1']) {
    for (const command of commands) {
      const { code, out, err } = isthmusOn(version, ...(command === '' ? [] : [command]));
      t.equal(code, 2, `${command} on ${version}`);
      t.equal(out, '');
      t.match(err, `isthmus: needs Node.js 24 or newer; this is v${version} (${process.execPath}).`);
      t.equal(err.trimEnd().split('\n').length, 1, 'and nothing else');
    }
  }
});

t.test('the control: it runs on the major version that the tests run on, and on newer ones', async (t) => {
  const { engines, devDependencies } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
  const oldest = Number.parseInt(devDependencies.node, 10);
  t.match(isthmusOn(`${oldest}.0.0`, '--version'), { code: 0, err: '' });
  t.match(isthmusOn(`${oldest - 1}.99.0`, '--version'), { code: 2 });
  t.match(isthmusOn('100.0.0', '--version'), { code: 0, err: '' });
  t.equal(engines.node, '>=20', 'the library needs less, and npx warns of nothing before the command can');
});

t.test('nothing is imported before the version is known', async (t) => {
  const text = readFileSync(main, 'utf8');
  t.notMatch(text, /^import /m);
});
