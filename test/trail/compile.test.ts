import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { type Clock, sleep, systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { guardedListeners } from '../../src/model/trail.ts';
import { assemble } from '../../src/trail/assemble.ts';
import type { FilterPolicy } from '../../src/trail/canonical.ts';
import { createPolicyCompiler } from '../../src/trail/compile.ts';
import { watchLoopTurns } from '../support/loop-turns.ts';

const assembly = fileURLToPath(new URL('../../wasm/assembly', import.meta.url));
const policy: FilterPolicy = {
  idc: 'sh-b',
  peers: ['sh-a', 'bj-a'],
  hopLimit: 2,
  listener: 'ingress-peer',
  enforce: true,
};
const options = { logger: silentLogger, clock: systemClock };

t.test('the same policy gives the same bytes, whoever compiles it', async (t) => {
  const [one, two] = [createPolicyCompiler(options), createPolicyCompiler(options)];
  t.teardown(() => Promise.all([one.close(), two.close()]));
  const first = await one.compile(policy);
  const second = await two.compile({ ...policy, peers: ['bj-a', 'sh-a'] });
  t.not(first.bytes, second.bytes);
  t.same(first.bytes, second.bytes);
  t.equal(first.hash, second.hash);
  t.match(first.hash, /^[0-9a-f]{16}$/);
  t.same(first.policy, { ...policy, peers: ['bj-a', 'sh-a'] });
  t.ok(first.compileMs > 0);
  const other = await one.compile({ ...policy, hopLimit: 1 });
  t.not(other.hash, first.hash);
});

t.test('what does not belong to a listener does not change its filter', async (t) => {
  const compiler = createPolicyCompiler(options);
  t.teardown(() => compiler.close());
  const edge = await compiler.compile({ ...policy, listener: 'ingress-edge' });
  const grown = await compiler.compile({
    ...policy,
    peers: ['sh-a', 'bj-a', 'gz-a'],
    hopLimit: 4,
    enforce: false,
    listener: 'ingress-edge',
  });
  t.equal(grown, edge, 'not even compiled again');
});

t.test('compiled once for all requests, then cached, within bounds', async (t) => {
  const compiled: unknown[] = [];
  const logger = { ...silentLogger, info: (_: string, fields?: object) => void compiled.push(fields) };
  const compiler = createPolicyCompiler({ ...options, logger }, { cacheEntriesMax: 1 });
  t.teardown(() => compiler.close());
  const [one, two] = await Promise.all([
    compiler.compile(policy),
    compiler.compile({ ...policy, peers: ['bj-a', 'sh-a'] }),
  ]);
  t.equal(one, two);
  t.equal(await compiler.compile(policy), one);
  t.equal(compiled.length, 1);
  await compiler.compile({ ...policy, hopLimit: 1 });
  t.not(await compiler.compile(policy), one, 'it had to go for the other one');
  t.equal(compiled.length, 3);
});

t.test('a filter for 6 IDCs is at most 8 KiB', async (t) => {
  const compiler = createPolicyCompiler(options);
  t.teardown(() => compiler.close());
  const peers = ['sh-a', 'bj-a', 'bj-b', 'gz-a', 'x'.repeat(32)];
  for (const listener of guardedListeners) {
    const { bytes, compileMs } = await compiler.compile({ ...policy, peers, hopLimit: 4, listener });
    t.ok(bytes.length <= 8192, `${listener}: ${bytes.length} bytes`);
    t.comment(`${listener}: ${bytes.length} bytes in ${Math.round(compileMs)} ms`);
  }
});

t.test('a compile does not block the event loop', async (t) => {
  const compiler = createPolicyCompiler(options);
  t.teardown(() => compiler.close());
  const turns = watchLoopTurns();
  await compiler.compile(policy);
  const longestMs = turns.stop();
  t.ok(longestMs <= 50, `no turn of the loop had more than ${longestMs} ms`);
  t.comment(`the longest turn had ${longestMs} ms`);
});

t.test('the control: in this thread it would', async (t) => {
  const names = ['index.ts', 'env.ts', 'host.ts', 'trail.ts', 'policy.ts'];
  const texts = await Promise.all(names.map((name) => readFile(join(assembly, name), 'utf8')));
  const turns = watchLoopTurns();
  await assemble(new Map(names.map((name, index) => [name, texts[index] as string])));
  const longestMs = turns.stop();
  t.ok(longestMs > 50, `${longestMs} ms`);
});

/** A copy of the sources with one text replaced. */
async function mutatedSources(t: Test, file: string, from: string, to: string): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-assembly-'));
  t.teardown(() => rm(dir, { recursive: true }));
  await cp(assembly, dir, { recursive: true });
  const text = await readFile(join(dir, file), 'utf8');
  if (!text.includes(from)) throw new Error(`${file} has no '${from}'`);
  await writeFile(join(dir, file), text.replace(from, to));
  return dir;
}

t.test('a filter that fails its vectors is not pushed, and is reported', async (t) => {
  const sourceDir = await mutatedSources(t, 'index.ts', 'if (own > 0)', 'if (own > 1)');
  const told: unknown[] = [];
  const logger = {
    ...silentLogger,
    error: (message: string, fields?: object) => void told.push({ message, ...fields }),
  };
  const compiler = createPolicyCompiler({ ...options, logger }, { sourceDir });
  t.teardown(() => compiler.close());
  const refused = {
    code: 'internal',
    message: /^The compiled filter is wrong, and is not used: 'trail'/,
    ref: 'sh-b/ingress-peer',
  };
  await t.rejects(compiler.compile(policy), refused);
  await t.rejects(compiler.compile(policy), refused, 'not remembered as good');
  t.match(told, [{ message: 'filter not compiled', policy: 'sh-b/ingress-peer', code: 'internal' }, {}]);
  await compiler.compile({ ...policy, listener: 'ingress-edge' });
});

t.test('a filter that does not compile is told in the compiler’s words', async (t) => {
  const sourceDir = await mutatedSources(t, 'trail.ts', 'names++', 'nonsense++');
  const compiler = createPolicyCompiler(options, { sourceDir });
  t.teardown(() => compiler.close());
  await t.rejects(compiler.compile(policy), {
    code: 'internal',
    message: /Cannot find name 'nonsense'/,
    ref: 'sh-b/ingress-peer',
  });
});

t.test('a filter that hangs blocks nothing, and is given up', async (t) => {
  const sourceDir = await mutatedSources(
    t,
    'index.ts',
    'if (own > 0) return',
    'while (own > 0) {}\n  if (own > 0) return',
  );
  let giveUp: (() => void) | undefined;
  const clock: Clock = {
    ...systemClock,
    after(_delayMs, fn) {
      giveUp = fn;
      return { cancel: () => {} };
    },
  };
  const compiler = createPolicyCompiler({ ...options, clock }, { sourceDir });
  t.teardown(() => compiler.close());
  const compiling = compiler.compile(policy);
  const next = compiler.compile({ ...policy, listener: 'ingress-edge' });
  while (giveUp === undefined) await sleep(systemClock, 10);
  giveUp();
  await t.rejects(compiling, { code: 'unavailable', message: /did not answer for 60000 ms/ });
  t.ok((await next).bytes.length > 0, 'the next job has a new process');
});

t.test('an incomplete package is told', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-assembly-'));
  t.teardown(() => rm(dir, { recursive: true }));
  await mkdir(join(dir, 'empty'));
  const compiler = createPolicyCompiler(options, { sourceDir: join(dir, 'none') });
  t.teardown(() => compiler.close());
  await t.rejects(compiler.compile(policy), { message: /ENOENT/ });
});

t.test('close ends what is pending, and what comes after', async (t) => {
  const errors: string[] = [];
  const logger = { ...silentLogger, error: (message: string) => void errors.push(message) };
  const compiler = createPolicyCompiler({ ...options, logger });
  const pending = t.rejects(compiler.compile(policy), { code: 'unavailable' });
  await compiler.close();
  await pending;
  await t.rejects(compiler.compile(policy), { code: 'unavailable' });
  await compiler.close();
  t.same(errors, [], 'who closes it wants nothing of it any more: that is no error');
});

t.test('an invalid policy is refused before anything is started', async (t) => {
  const compiler = createPolicyCompiler(options);
  t.teardown(() => compiler.close());
  await t.rejects(compiler.compile({ ...policy, idc: 'Sh' }), {
    code: 'invalid',
    message: /not an IDC name/,
  });
});
