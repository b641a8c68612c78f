import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';

const main = fileURLToPath(new URL('../support/log-main.ts', import.meta.url));
const { NODE_OPTIONS: _, ...env } = process.env;

/** Starts what logs 10 MB, with pipes that nobody reads yet. */
function startLogging(t: Test): ChildProcess {
  const child = spawn(process.execPath, [main], { env, stdio: ['pipe', 'pipe', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  return child;
}

t.test('a stderr that nobody reads stops nothing, and the lines that it cost are counted', async (t) => {
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
  t.equal(lines.filter((line) => line.msg === 'a line').length + dropped, 10_000);
  t.equal(lines.at(-1).msg, 'the last line');
});

t.test('a process that is done ends though nobody reads what it logged', async (t) => {
  const child = startLogging(t);
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  child.stdin?.end();
  const [code] = await once(child, 'exit');
  t.equal(code, 0);
});

t.test('a reader that goes ends nothing', async (t) => {
  const child = startLogging(t);
  child.stderr?.destroy();
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  child.stdin?.end();
  const [code] = await once(child, 'exit');
  t.equal(code, 0);
});
