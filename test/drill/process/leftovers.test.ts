import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { sleep, systemClock } from '../../../src/base/clock.ts';

const main = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
const keepAlive = setInterval(() => {}, 1000);
t.teardown(() => clearInterval(keepAlive));

/** Pids of live processes that were started with this folder for temporary files. */
function pidsUsing(tmp: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`TMPDIR=${tmp}`);
      } catch {
        return false;
      }
    });
}

/** Starts a drill and resolves when its Envoys are starting. */
async function startDrill(tmp: string, reportDir: string): Promise<ChildProcess> {
  const { NODE_OPTIONS, ...env } = process.env;
  const args = [
    main,
    'drill',
    'outage',
    '--quick',
    '--caller-rate',
    '50',
    '--edge-rate',
    '20',
    '--report-dir',
    reportDir,
  ];
  const drill = spawn(process.execPath, args, {
    env: { ...env, TMPDIR: tmp },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  await new Promise<void>((resolve, reject) => {
    drill.stdout?.on('data', (chunk) => {
      said += chunk;
      if (said.includes('through every path')) resolve();
    });
    drill.once('exit', () => reject(new Error(`the drill ended early:\n${said}`)));
  });
  return drill;
}

for (const signal of ['SIGKILL', 'SIGINT', 'SIGTERM'] as const) {
  t.test(
    `${signal} in the middle of a drill leaves no process and no file`,
    { timeout: 100_000 },
    async (t) => {
      // Not the test's own folder: its path is too long for a socket.
      const tmp = mkdtempSync('/tmp/left-');
      t.teardown(() => rmSync(tmp, { recursive: true, force: true }));
      mkdirSync(`${tmp}/tmp`);
      const drill = await startDrill(`${tmp}/tmp`, `${tmp}/report`);
      t.ok(pidsUsing(`${tmp}/tmp`).length > 20, 'a world was running');
      drill.kill(signal);
      const [code, by] = await once(drill, 'exit');
      if (signal === 'SIGKILL') t.equal(by, 'SIGKILL');
      else t.equal(code, 130);
      for (
        let i = 0;
        i < 200 && pidsUsing(`${tmp}/tmp`).length + readdirSync(`${tmp}/tmp`).length > 0;
        i += 1
      ) {
        await sleep(systemClock, 50);
      }
      t.same(pidsUsing(`${tmp}/tmp`), []);
      t.same(readdirSync(`${tmp}/tmp`), []);
    },
  );
}
