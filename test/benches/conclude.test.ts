import { spawnSync } from 'node:child_process';
import t from 'tap';
import { parseFloor } from '../../bench/support/floor.ts';
import { atMost, type Verdict } from '../../bench/support/table.ts';

const path = new URL('../../bench/support/conclude.ts', import.meta.url).href;

/** A process that ends as a bench does; `before`: what it does first. */
function ending(list: readonly Verdict[], options: object = {}, before = '') {
  const call = `conclude(${JSON.stringify(list)}, ${JSON.stringify(options)})`;
  const code = `import { conclude } from '${path}'; ${before}; console.log(${call}); process.exit();`;
  const { NODE_OPTIONS: _, ...env } = process.env;
  const args = ['--input-type=module', '-e', code];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env });
  return { status, stdout, stderr };
}

const met = atMost('a', 1, 2, 'ms');
const missed = atMost('b', 3, 2, 'ms');

t.test('a bench exits with 1 where a bound is missed, and with 0 where all are met', async (t) => {
  t.match(ending(met), { status: 0, stdout: /\| a .*\| met .*\nfalse\n/s, stderr: '' });
  t.match(ending([...met, ...missed]), {
    status: 1,
    stdout: /\| b .*\| MISSED .*1 of 2 bounds missed\ntrue\n/s,
  });
  t.match(ending([]), { status: 0 });
  t.match(ending(atMost('c', Number.NaN, 2, 'ms')), { status: 1 }, 'what could not be measured is not met');
});

t.test('what lacks a protection must miss a bound', async (t) => {
  t.match(ending(missed, { mustMiss: true }), { status: 0 });
  t.match(ending(met, { mustMiss: true }), { status: 1 });
});

t.test('an exit code that was set before stays', async (t) => {
  t.match(ending(met, {}, 'process.exitCode = 3'), { status: 3 });
});

t.test('the floor of what is parsed is a process that parses it', async (t) => {
  const folder = t.testdir({ 'a.jsonl': '{"a":1}\n[2]\n', 'b.jsonl': '{"a":1}\nno JSON\n' });
  const { cpuS, peakMiB } = await parseFloor([`${folder}/a.jsonl`]);
  t.ok(cpuS > 0 && peakMiB > 1, `${cpuS} s, ${peakMiB} MiB`);
  await t.rejects(parseFloor([`${folder}/a.jsonl`, `${folder}/b.jsonl`]), { message: /ended with 1$/ });
});
