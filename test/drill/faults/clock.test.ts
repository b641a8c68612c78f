import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { stepClock } from '../../../src/drill/faults/clock-file.ts';

const keepAlive = setInterval(() => {}, 1000);
t.teardown(() => clearInterval(keepAlive));
const never = new AbortController().signal;

/** Says each time that it is asked what it takes the time for, by each way of asking. */
const script = `
process.stdin.on('data', () => console.log(JSON.stringify([Date.now(), +new Date(), Date.parse(Date()), performance.now(), +new Date(5), new Date() instanceof Date])));
console.log('ready');
`;

t.test('the wall clock of one process is stepped, ahead and back; its monotonic clock is not', async (t) => {
  const file = join(t.testdir(), 'clock');
  const program = pathToFileURL(join(import.meta.dirname, '../../../src/drill/faults/clock-step.ts'));
  program.searchParams.set('file', file);
  const child = spawn(process.execPath, ['--import', program.href, '-e', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill());
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => String((await lines.next()).value);
  t.equal(await next(), 'ready');
  const ask = async () => {
    child.stdin.write('?\n');
    return JSON.parse(await next()) as [number, number, number, number, number, boolean];
  };
  const [, , , monotonic] = await ask();
  for (const offsetMs of [3_600_000, -86_400_000, 0]) {
    await stepClock(file, offsetMs, never);
    const [now, date, text, , fixed, isDate] = await ask();
    for (const told of [now, date, text]) {
      const wrong = told - Date.now() - offsetMs;
      t.ok(Math.abs(wrong) < 20_000, `${offsetMs}: ${wrong} ms beside it`);
    }
    t.strictSame([fixed, isDate], [5, true], 'a time that is given stays');
  }
  const [, , , later] = await ask();
  t.ok(later > monotonic && later - monotonic < 60_000, 'lengths are as long as they were');
});

t.test('a process whose clock cannot be stepped is reported', async (t) => {
  const stop = new AbortController();
  const asked = stepClock(join(t.testdir(), 'nobody'), 5, stop.signal);
  stop.abort(new Error('given up'));
  await t.rejects(asked, { message: 'given up' });
});
