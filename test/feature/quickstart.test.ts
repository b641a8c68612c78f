import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { equalities } from '../../src/cli/quickstart/readme.ts';
import { commandLines, quickDrain, quickQuestions } from '../../src/cli/quickstart/world.ts';
import { findEnvoy } from '../support/envoy.ts';
import { isAsShown, type PageStep, runPage, stepsOf } from '../support/page.ts';
import { freePort } from '../support/port.ts';

const page = readFileSync(new URL('../../docs/quickstart.md', import.meta.url), 'utf8');
const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

const dir = mkdtempSync(join(tmpdir(), 'isthmus-quickstart-'));
t.teardown(() => rmSync(dir, { recursive: true, force: true }));

// The programs that the page names: `isthmus` from the sources, in the place of the build that its first
// block makes.
const bin = join(dir, 'bin');
mkdirSync(bin);
saveProgram('isthmus', `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`);
symlinkSync(process.execPath, join(bin, 'node'));
symlinkSync(findEnvoy(), join(bin, 'envoy'));
const hasCurl = spawnSync('curl', ['--version']).error === undefined;
const standIn = fileURLToPath(new URL('../support/apps/curl-stand-in.mjs', import.meta.url));
if (!hasCurl) saveProgram('curl', `#!/bin/sh\nexec '${process.execPath}' '${standIn}' "$@"\n`);
const { NODE_OPTIONS: _, ISTHMUS_ADMIN: __, ...machine } = process.env;
// Filters are compiled once for all runs.
const env = {
  ...machine,
  PATH: `${bin}:${process.env.PATH}`,
  ISTHMUS_SERVE_STATE_FILTERS: join(dir, 'filters'),
};

function saveProgram(name: string, text: string): void {
  writeFileSync(join(bin, name), text);
  chmodSync(join(bin, name), 0o755);
}

/** A folder for a run. */
function folder(name: string): string {
  mkdirSync(join(dir, name));
  return join(dir, name);
}

const steps = stepsOf(page);
const byHand = steps.findIndex(({ commands }) => commands.includes('mkdir -p config'));
const run = (some: readonly PageStep[], cwd: string) => runPage(some, { cwd, env, stepMs: 240_000 });

t.test('every command of the page works, and prints what the page says', { timeout: 900_000 }, async (t) => {
  if (!hasCurl) t.comment('curl is not installed: a stand-in over node:http sends the requests');
  t.ok(byHand > 2 && steps.length > 12, `${steps.length} steps`);
  const cwd = folder('whole');
  t.strictSame(await run(steps, cwd), undefined);
  t.test('what was written by hand is what the command writes', async (t) => {
    const files = ['config', 'envoy'].flatMap((sub) => readdirSync(join(cwd, sub)).map((f) => `${sub}/${f}`));
    t.equal(files.length, 9);
    t.strictSame(readdirSync(join(cwd, 'demo/envoy')), readdirSync(join(cwd, 'envoy')));
    for (const file of [...files, 'app.mjs'])
      t.equal(readFileSync(join(cwd, file), 'utf8'), readFileSync(join(cwd, 'demo', file), 'utf8'), file);
    t.ok(page.includes(equalities), 'and the two tables are one');
    for (const { command } of [...quickQuestions, ...quickDrain])
      t.ok(page.includes(commandLines(command)), `${command[0]} is on the page`);
    t.equal(statSync(join(cwd, 'demo/token')).mode & 0o777, 0o600, 'nobody else reads the token');
  });
});

t.test('a page with one wrong flag fails', { timeout: 900_000 }, async (t) => {
  const wrong: readonly [name: string, from: string, to: string, failsAt: string][] = [
    ['inbound', '--inbound 127.11.1.1:8080', '--inbound 127.11.1.1:8081', '127.11.1.1:8080/'],
    ['edge', '--edge 127.11.0.1:8080', '--edge 127.11.0.1:8088', '127.11.0.1:8080/'],
    ['admin', '--admin 127.11.1.2:15000', '', 'isthmus who'],
  ];
  for (const [name, from, to, failsAt] of wrong) {
    const [before = '', after = ''] = page.split('### Instances');
    t.not(after.replace(from, to), after, name);
    const wronged = after.replace(from, to).split('\n');
    // Fewer tries where it has to fail: it would not succeed with more.
    const lines = wronged.map((line) =>
      line.includes(failsAt) ? line.replace('--retry 60', '--retry 5') : line,
    );
    const changed = `${before}### Instances${lines.join('\n')}`;
    const fault = await run(stepsOf(changed).slice(byHand), folder(name));
    const step = stepsOf(changed).find(({ line }) => line === fault?.line);
    t.match(step?.commands, failsAt, `${name}: ${fault?.what}`);
  }
});

t.test('only … stands for other text, and not for a line', async (t) => {
  t.ok(isAsShown('a (1) of b\nc\n', 'a (1) of …\nc\n'));
  t.notOk(isAsShown('a (1) of b\nc\n', 'a (1) of c\nc\n'));
  t.notOk(isAsShown('a (1)\nb\nc\n', 'a …\nc\n'));
  t.notOk(isAsShown('a (1) of b\nc\n', 'a …'));
  t.notOk(isAsShown('a', '.'));
});

t.test('a folder with anything in it is refused, and stays as it is', async (t) => {
  const isthmus = (...args: string[]) =>
    spawnSync(join(bin, 'isthmus'), args, { encoding: 'utf8', env, cwd: dir });
  const full = folder('full');
  writeFileSync(join(full, 'notes'), 'mine');
  t.match(isthmus('quickstart', 'full'), {
    status: 2,
    stderr: /^isthmus: full is not empty \(it has notes\): nothing is overwritten\. Name a new folder/,
  });
  t.strictSame(readdirSync(full), ['notes']);
  for (const path of ['full/notes', 'full/notes/demo']) {
    const { status, stderr } = isthmus('quickstart', path);
    t.match(
      { status, stderr },
      { status: 2, stderr: /cannot be written: it, or a part of its path, is a file\. Name/ },
    );
  }
  folder('empty');
  t.match(isthmus('quickstart', 'empty'), { status: 0, stdout: 'Written. Start it: ./empty/run.sh\n' });
  const script = join(dir, 'empty/run.sh');
  t.strictSame(
    execFileSync('bash', ['-n', script], { encoding: 'utf8' }),
    '',
    'and the script of an empty one is whole',
  );
});

t.test('the script says what is missing, and what has ended', { timeout: 120_000 }, async (t) => {
  const isthmus = (...args: string[]) =>
    spawnSync(join(bin, 'isthmus'), args, { encoding: 'utf8', env, cwd: dir });
  isthmus('quickstart', 'broken');
  const script = join(dir, 'broken/run.sh');
  const start = (more: NodeJS.ProcessEnv) =>
    spawnSync('bash', [script], { encoding: 'utf8', env: { ...env, ...more }, timeout: 90_000 });
  const few = folder('few');
  for (const name of ['bash', 'dirname']) {
    const path = execFileSync('bash', ['-c', `type -P ${name}`], { encoding: 'utf8' }).trim();
    symlinkSync(path, join(few, name));
  }
  t.match(start({ PATH: few, ENVOY_BIN: '' }), {
    status: 2,
    stderr: /^run\.sh: there is no Envoy: put an Envoy/,
  });
  t.match(start({ PATH: few, ENVOY_BIN: 'envoy' }), { status: 2, stderr: /^run\.sh: curl is missing/ });
  writeFileSync(join(dir, 'broken/config/idcs.yaml'), '');
  rmSync(join(dir, 'broken/envoy/checkout-a.yaml'));
  const { status, stderr } = start({});
  t.match(
    { status, stderr },
    {
      status: 1,
      stderr: /^run\.sh: checkout-a has ended with exit code 1; the end of log\/checkout-a\.log:\n/,
    },
  );
  t.ok(existsSync(join(dir, 'broken/log/checkout-a.log')));
});

t.test('the stand-in for curl does what the page asks of curl', async (t) => {
  let asked = 0;
  const server = createServer((request, response) => {
    asked += 1;
    response.statusCode = asked === 2 ? 200 : 503;
    response.end(`for ${request.headers.host}\n`);
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { spawn } = await import('node:child_process');
  const call = (...args: string[]) =>
    new Promise<{ code: number | null; out: string }>((resolve) => {
      const child = spawn(process.execPath, [standIn, ...args], {
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let out = '';
      child.stdout.setEncoding('utf8').on('data', (text) => {
        out += text;
      });
      child.once('close', (code) => resolve({ code, out }));
    });
  const url = `http://127.0.0.1:${port}/`;
  const retried = ['-sf', '--retry', '3', '--retry-delay', '1', '--retry-all-errors', '-H', 'Host: a.b', url];
  t.strictSame(await call(...retried), { code: 0, out: 'for a.b\n' }, 'tried again after a 503');
  t.equal(asked, 2);
  t.strictSame(await call('-sf', '-H', 'Host: a.b', url), { code: 22, out: '' });
  t.strictSame(await call('-H', 'Host: a.b', url), { code: 0, out: 'for a.b\n' }, 'without -f, as it is');
});
