import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { sleep, systemClock } from '../../../src/base/clock.ts';
import { killHard, pause, resume } from '../../../src/drill/faults/fault.ts';
import { createCrew, type RunningProcess, startWarden } from '../../../src/drill/process/process.ts';
import { markedPids } from '../../../src/drill/process/sweep.ts';

const dir = t.testdir();
const beat = "process.stdin.resume(); setInterval(() => process.stdout.write('beat\\n'), 10)";
const keepAlive = setInterval(() => {}, 1000);
t.teardown(() => clearInterval(keepAlive));

/** An id that no other test and no drill uses. */
let count = 0;
const freshId = () => `t${process.pid}-${count++}`;

function stateOf(pid: number): string {
  return /^State:\t(\w)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
}

async function until(check: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 500; i += 1) {
    if (check()) return;
    await sleep(systemClock, 10);
  }
  throw new Error(`not within 5 s: ${what}`);
}

function startBeating(name: string, onLine: () => void = () => {}): RunningProcess {
  const crew = createCrew(freshId(), () => {});
  return crew.start({
    name,
    command: process.execPath,
    args: ['-e', beat],
    logFile: join(dir, `${name}.log`),
    lines: onLine,
  });
}

t.test('pause stops a process, resume lets it go on, kill -9 ends it, stopped or not', async (t) => {
  let beats = 0;
  const running = startBeating('one', () => {
    beats += 1;
  });
  await until(() => beats > 3, 'it beats');
  pause([running]);
  await until(() => stateOf(running.pid) === 'T', 'stopped');
  await sleep(systemClock, 50);
  const before = beats;
  await sleep(systemClock, 200);
  t.equal(beats, before, 'not a beat while stopped');
  resume([running]);
  await until(() => beats > before + 3, 'it beats again');
  pause([running]);
  const moment = await killHard([running]);
  t.ok(moment.to >= moment.from);
  t.equal(running.alive(), false);
  t.same(await running.exited, { code: null, signal: 'SIGKILL' });
});

t.test('kill -9 reaches what a process started', async (t) => {
  const id = freshId();
  const crew = createCrew(id, () => {});
  const running = crew.start({
    name: 'sh',
    command: 'sh',
    args: ['-c', 'sleep 60 & sleep 60'],
    logFile: join(dir, 'sh.log'),
  });
  await until(() => markedPids(id).length === 3, 'three processes');
  await killHard([running]);
  await until(() => markedPids(id).length === 0, 'all gone');
  t.equal(running.alive(), false);
});

t.test(
  'an end that nobody ordered is told; an ordered one, and that of a client that is done, are not',
  async (t) => {
    const told: string[] = [];
    const crew = createCrew(freshId(), (running, exit) =>
      told.push(`${running.spec.name} ${exit.code ?? exit.signal}`),
    );
    const run = (name: string, code: string, ends = false) =>
      crew.start({ name, command: process.execPath, args: ['-e', code], logFile: join(dir, 'x.log'), ends });
    await run('crashed', 'process.exit(3)').exited;
    await run('quit', '').exited;
    await run('done', '', true).exited;
    await run('client crashed', 'process.exit(4)', true).exited;
    await killHard([run('killed', beat)]);
    await crew.start({
      name: 'absent',
      command: join(dir, 'no-such-file'),
      args: [],
      logFile: join(dir, 'x.log'),
    }).exited;
    t.same(told, ['crashed 3', 'quit 0', 'client crashed 4', 'absent 127']);
  },
);

/**
 * A drill's runner in small: starts a warden and children, some of which ignore everything that can be
 * ignored.
 */
async function startRunner(id: string, folder: string): Promise<ChildProcess> {
  const modules = new URL('../../../src/drill/process/process.ts', import.meta.url).href;
  const deaf = "process.on('SIGTERM', () => {}); process.on('SIGINT', () => {}); setInterval(() => {}, 1000)";
  const code = `
    const { createCrew, startWarden } = await import(${JSON.stringify(modules)});
    await startWarden({ id: ${JSON.stringify(id)}, dir: ${JSON.stringify(folder)}, net: false });
    const crew = createCrew(${JSON.stringify(id)}, () => {});
    for (const name of ['a', 'b']) crew.start({ name, command: process.execPath, args: ['-e', ${JSON.stringify(deaf)}], logFile: ${JSON.stringify(join(dir, 'r.log'))} });
    const stopped = crew.start({ name: 'c', command: 'sleep', args: ['60'], logFile: ${JSON.stringify(join(dir, 'r.log'))} });
    stopped.signal('SIGSTOP');
    console.log('up');
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

t.test('whatever ends the runner, its warden leaves no process and no folder', async (t) => {
  for (const signal of ['SIGKILL', 'SIGTERM', 'SIGINT'] as const) {
    const id = freshId();
    const folder = mkdtempSync(join(tmpdir(), 'isthmus-test-'));
    const runner = await startRunner(id, folder);
    await until(() => markedPids(id).length === 3, 'three children');
    runner.kill(signal);
    await once(runner, 'exit');
    await until(() => markedPids(id).length === 0 && !existsSync(folder), `swept after ${signal}`);
    t.pass(signal);
  }
});

t.test('closing the warden sweeps only what carries its mark', async (t) => {
  const [mine, other] = [freshId(), freshId()];
  const start = (id: string) =>
    createCrew(id, () => {}).start({ name: id, command: 'sleep', args: ['60'], logFile: join(dir, 's.log') });
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-test-'));
  const warden = await startWarden({ id: mine, dir: folder, net: false });
  const [ours, theirs] = [start(mine), start(other)];
  t.equal(await warden.close(), 0);
  await until(() => !ours.alive(), 'ours is gone');
  t.equal(theirs.alive(), true);
  t.equal(existsSync(folder), false);
  await killHard([theirs]);
});
