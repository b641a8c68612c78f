import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';

const main = fileURLToPath(new URL('../support/planes/log-main.ts', import.meta.url));
const { NODE_OPTIONS: _, ...env } = process.env;

/** Starts what logs 10 MB, with pipes that nobody reads yet. */
function startLogging(t: Test): ChildProcess {
  const child = spawn(process.execPath, [main], { env, stdio: ['pipe', 'pipe', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  return child;
}

t.test('an unread stderr blocks nothing, and dropped lines are counted', async (t) => {
  const child = startLogging(t);
  const said = await once(child.stdout as NodeJS.ReadableStream, 'data');
  t.equal(String(said[0]), 'through\n');
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  while (!text.includes('were dropped')) await once(child.stderr as NodeJS.ReadableStream, 'data');
  child.stdin?.end();
  await once(child, 'close');
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const dropped = lines.find((line) => 'dropped' in line)?.dropped;
  t.equal(lines.filter((line) => line.msg.startsWith('a line')).length + dropped, 10_000);
  t.equal(lines.at(-1).msg, 'the last line');
});

t.test('a finished process exits although nobody reads its log', async (t) => {
  const child = startLogging(t);
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  child.stdin?.end();
  const [code] = await once(child, 'exit');
  t.equal(code, 0);
});

t.test('a reader that closes stderr does not end the process', async (t) => {
  const child = startLogging(t);
  child.stderr?.destroy();
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  child.stdin?.end();
  const [code] = await once(child, 'exit');
  t.equal(code, 0);
});

t.test('a full disk does not end the process, and dropped lines are counted', async (t) => {
  const dir = t.testdir();
  const file = join(dir, 'log');
  // A file that may not grow beyond some blocks takes what fits of the last line, and then nothing.
  const child = spawn(
    'sh',
    [
      '-c',
      `trap '' XFSZ; ulimit -f 64; unset NODE_OPTIONS; exec "$0" "$1" 2>> "$2"`,
      process.execPath,
      main,
      file,
    ],
    // Without what tap has a process load: that ends it at the signal.
    { env, stdio: ['pipe', 'pipe', 'inherit'] },
  );
  t.teardown(() => child.kill('SIGKILL'));
  const said = await once(child.stdout as NodeJS.ReadableStream, 'data');
  t.equal(String(said[0]), 'through\n', 'it goes on');
  const before = readFileSync(file, 'utf8').split('\n');
  const cut = before.pop();
  t.not(cut, '', 'the last line was taken in part');
  truncateSync(file, 0);
  child.stdin?.end();
  const [code] = await once(child, 'close');
  t.equal(code, 0);
  const after = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
  t.match(after, [
    { dropped: 10_000 - before.length, msg: /^log lines were dropped/ },
    { msg: 'the last line' },
  ]);
});

t.test('a stderr that accepts no byte does not end the process', async (t) => {
  const full = openSync('/dev/full', 'w');
  const child = spawn(process.execPath, [main], { env, stdio: ['pipe', 'pipe', full] });
  closeSync(full);
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  child.stdin?.end();
  const [code] = await once(child, 'exit');
  t.equal(code, 0);
});
