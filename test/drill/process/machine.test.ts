import { readFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { sleep, systemClock } from '../../../src/base/clock.ts';
import { killHard } from '../../../src/drill/faults/fault.ts';
import { listeningPorts } from '../../../src/drill/measure/isolation.ts';
import { createUsageMeter } from '../../../src/drill/measure/usage.ts';
import { raisePriority } from '../../../src/drill/process/priority.ts';
import { createCrew } from '../../../src/drill/process/process.ts';
import { until } from '../../support/mesh.ts';

const keepAlive = setInterval(() => {}, 1000);
t.teardown(() => clearInterval(keepAlive));

/** Waits until a process has had so many seconds of processor time: on a busy machine that takes longer. */
async function hasHad(pid: number, seconds: number): Promise<void> {
  const used = () => {
    const [user = 0, system = 0] = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .split(' ')
      .slice(13, 15)
      .map(Number);
    return (user + system) / 100;
  };
  await until(`process ${pid} has had ${seconds} s`, async () => used() >= seconds);
}

t.test('processor time is told apart: the drill’s own, phase by phase, and others’', async (t) => {
  const id = `usage-${process.pid}`;
  const crew = createCrew(id, () => {});
  const spin = (drill: typeof crew, name: string) =>
    drill.start({
      name,
      command: 'sh',
      args: ['-c', 'while :; do :; done'],
      logFile: join(t.testdir(), name),
    });
  const other = spin(
    createCrew(`other-${id}`, () => {}),
    'other',
  );
  const usage = createUsageMeter(id);
  usage.begin('quiet');
  await hasHad(other.pid, 0.3);
  usage.begin('busy');
  const begin = systemClock.now();
  const own = spin(crew, 'own');
  await hasHad(own.pid, 0.3);
  const [quiet, busy] = usage.end();
  const seconds = (systemClock.now() - begin) / 1000;
  await killHard([own, other]);
  t.match([quiet, busy], [{ phase: 'quiet', drill: 0 }, { phase: 'busy' }]);
  t.ok((quiet?.others ?? 0) > 0, `others used ${quiet?.others}`);
  t.ok((busy?.drill ?? 0) * seconds > 0.25, `the drill used ${busy?.drill} for ${seconds} s`);
});

t.test('priority is raised where the user may, and taken back', async (t) => {
  const before = getPriority();
  t.teardown(() => setPriority(before));
  const { nice, restore } = raisePriority();
  t.equal(getPriority(), nice);
  if (process.getuid?.() === 0) t.equal(nice, -10);
  restore();
  t.equal(getPriority(), before);
});

t.test('ports that a process listens on, by the kernel’s tables', async (t) => {
  const code =
    "require('net').createServer().listen(0, '127.0.0.1', function () { console.log(this.address().port) })";
  let port = 0;
  const crew = createCrew(`ports-${process.pid}`, () => {});
  const start = (name: string, script: string) =>
    crew.start({
      name,
      command: process.execPath,
      args: ['-e', script],
      logFile: join(t.testdir(), name),
      lines: (line) => {
        port = Number(line);
      },
    });
  const listening = start('listening', code);
  const silent = start('silent', 'process.stdin.resume()');
  for (let i = 0; i < 300 && port === 0; i += 1) await sleep(systemClock, 10);
  t.same(listeningPorts(listening.pid), [port]);
  t.same(listeningPorts(silent.pid), []);
  await killHard([listening, silent]);
  t.same(listeningPorts(listening.pid), [], 'and none when it is gone');
});
