import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runScript } from '../../src/cli/quickstart/run-script.ts';

// What run.sh of `isthmus quickstart` says while it starts. test/feature/quickstart.test.ts runs all of it.

t.test('it says at once that it is starting, and then what has ended', async (t) => {
  const folder = t.testdir({ log: {}, run: {} });
  writeFileSync(join(folder, 'run.sh'), runScript(['sh', '-c', 'exit 3'], 'true'), { mode: 0o755 });
  const { stdout, stderr, status } = spawnSync(join(folder, 'run.sh'), {
    encoding: 'utf8',
    env: { ...process.env, ENVOY_BIN: '/bin/true' },
  });
  t.match(stdout, /^Starting\. .* some ten seconds/);
  t.match(stderr, /control-a has ended with exit code 3; the end of log\/control-a\.log:/);
  t.equal(status, 1);
});
