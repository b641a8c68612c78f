import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { createPolicyCompiler } from '../../src/trail/compile.ts';

const options = { logger: silentLogger, clock: systemClock };

/** The compilers' processes that this process has started, by id, from /proc. */
function compilers(): number[] {
  return readdirSync('/proc').flatMap((name) => {
    try {
      const parent = /^\d+ \(.*\) \S (\d+) /.exec(readFileSync(`/proc/${name}/stat`, 'latin1'))?.[1];
      const isOne = readFileSync(`/proc/${name}/cmdline`, 'utf8').includes('/trail/compile-main.');
      return Number(parent) === process.pid && isOne ? [Number(name)] : [];
    } catch {
      // No process, or it has ended.
      return [];
    }
  });
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(20);
}

t.test('an awaited compiler has its process before the first policy, and works in it', async (t) => {
  const plain = createPolicyCompiler(options);
  t.teardown(() => plain.close());
  t.strictSame(compilers(), [], 'the control: one that is not awaited has none');
  const compiler = createPolicyCompiler({ ...options, isAwaited: true });
  t.teardown(() => compiler.close());
  await until(() => compilers().length === 1);
  const before = compilers();
  const policy = {
    idc: 'sh-b',
    peers: ['sh-a'],
    hopLimit: 1,
    listener: 'ingress-peer',
    enforce: true,
  } as const;
  await compiler.compile(policy);
  t.strictSame(compilers(), before);
  await compiler.close();
  t.strictSame(compilers(), []);
});

t.test('it ends when no policy comes', async (t) => {
  const compiler = createPolicyCompiler({ ...options, isAwaited: true });
  t.teardown(() => compiler.close());
  await until(() => compilers().length === 1);
  await until(() => compilers().length === 0);
  t.pass();
});
