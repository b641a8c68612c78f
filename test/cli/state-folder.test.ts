import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { type Logger, silentLogger } from '../../src/base/log.ts';
import { claimStateFolder } from '../../src/cli/process/state-folder.ts';
import { idcYaml } from '../support/objects-yaml.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

const claim = (folder: string, logger: Logger = silentLogger) =>
  claimStateFolder(folder, { clock: systemClock, logger });

/** The folder of state of a control plane, beside one of objects. */
const newFolder = (t: Test) => join(t.testdir({ config: { 'a.yaml': idcYaml } }), 'state');

/** Runs `isthmus serve` with this folder of state; resolves to its exit code and stderr. */
function serve(t: Test, state: string): Promise<{ code: number | null; said: string }> {
  const config = join(dirname(state), 'config');
  const args = [
    'serve',
    '--idc',
    'sh-a',
    '--config',
    config,
    '--state',
    state,
    '--xds',
    ':0',
    '--admin',
    ':0',
  ];
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  let said = '';
  let isEnding = false;
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said += text;
    // The control: it serves where the folder is free.
    if (said.includes('"msg":"serving"') && !isEnding) isEnding = child.kill('SIGTERM');
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, said })));
}

t.test('a second control plane in one folder is refused, and told why', async (t) => {
  const folder = newFolder(t);
  const mine = await claim(folder);
  t.teardown(() => mine.release());
  const { code, said } = await serve(t, folder);
  t.equal(code, 2);
  t.match(said, /^isthmus: another control plane has the folder of --state, .*state: stop it, or give each/m);
  t.notMatch(said, '"msg":"serving"');
  t.match(said, /"msg":"waiting: another control plane has the folder of --state"/);
});

t.test(
  'the control: it serves in a folder that is free, as in one whose control plane has ended',
  async (t) => {
    const folder = newFolder(t);
    (await claim(folder)).release();
    t.match(await serve(t, folder), { code: 0, said: '"msg":"serving"' });
    (await claim(folder)).release();
  },
);

t.test('one that is ending is waited for', async (t) => {
  const folder = t.testdir({});
  const first = await claim(folder);
  const second = claim(folder);
  setTimeout(() => first.release(), 300);
  (await second).release();
});

t.test('a folder that cannot be made', async (t) => {
  const file = join(t.testdir({ file: '' }), 'file');
  await t.rejects(claim(file), {
    code: 'unavailable',
    message: /cannot be made: .*file: there is a file of/,
  });
  await t.rejects(claim(join(file, 'below')), { message: /it is not a folder \(ENOTDIR\); give another/ });
});

t.test('a lock that cannot be made is told, and does not keep it from serving', async (t) => {
  const told: string[] = [];
  const folder = t.testdir({ lock: {} });
  const { release } = await claim(folder, { ...silentLogger, warn: (message) => void told.push(message) });
  t.match(told, [/cannot be locked: start no second control plane in it/]);
  release();
});
