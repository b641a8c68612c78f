import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../../../src/base/clock.ts';
import { type Logger, silentLogger } from '../../../src/base/log.ts';
import {
  type ClientOp,
  createRegistrationsSource,
} from '../../../src/registry/registrations/registrations-source.ts';
import { Recorder } from '../recorder.ts';
import { readBody, writeRow } from './registration-world.ts';

const keepAlive = setInterval(() => {}, 1000);
t.teardown(() => clearInterval(keepAlive));

function newFile(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-registrations-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return join(folder, 'registrations.db');
}

async function open(t: Test, file: string, logger: Logger = silentLogger) {
  const source = createRegistrationsSource({ file, clock: systemClock, logger });
  const seen = new Recorder();
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  await source.start(seen, stop.signal);
  return { source, seen, close: () => stop.abort() };
}

const body = { address: '10.0.0.1', ports: { http: 80 }, labels: { app: 'checkout' }, ttl: '1s' };
const key = (name: string) => ({ namespace: 'shop', name });
const register = (name: string, more = {}) => readBody(key(name), { ...body, ...more });
const deregister = (name: string, generation?: number): ClientOp => ({
  type: 'deregister',
  key: key(name),
  generation,
});
const word = (sign: '+' | '-', name: string) => `${sign}WorkloadEntry/shop/${name}`;

t.test('before it is open it does not report an empty list', async (t) => {
  const source = createRegistrationsSource({ file: newFile(t), clock: systemClock });
  const unavailable = { code: 'unavailable', message: /starting/ };
  t.throws(() => source.list(), unavailable);
  t.throws(() => source.get(key('a')), unavailable);
  t.throws(() => source.renew(key('a'), undefined), unavailable);
  await t.rejects(source.submit(register('a')), unavailable);
});

t.test('what is no file is refused in words', async (t) => {
  const folder = t.testdir();
  const refused = (file: string, message: RegExp) =>
    t.rejects(open(t, file), { code: 'unavailable', message });
  await refused(
    folder,
    /^the registrations in .* cannot be opened: it is a folder; name a file, which is created$/,
  );
  await refused('/dev/null', /cannot be opened: it is a pipe, a socket or a device/);
});

t.test('each operation that changes something is a line of the log, and no other', async (t) => {
  const lines: object[] = [];
  const { source } = await open(t, newFile(t), {
    ...silentLogger,
    info: (msg, fields) => void lines.push({ msg, ...fields }),
  });
  for (let i = 0; i < 3; i += 1) await source.submit(register('a', { generation: 1 }));
  source.renew(key('a'), 1);
  await source.submit({ type: 'drain', key: key('a') });
  await source.submit(deregister('a'));
  await source.facets.finalizers.release({ kind: 'WorkloadEntry', ...key('a') });
  const of = { msg: 'registration', registration: 'shop/a', generation: 1, address: '10.0.0.1' };
  t.match(lines, [
    { ...of, op: 'register', state: 'ready' },
    { ...of, op: 'drain', state: 'draining' },
    { ...of, op: 'deregister', state: 'leaving' },
  ]);
  t.equal(lines.length, 3);
});

t.test('acknowledged registrations survive a restart, and leaving ones are deleted again', async (t) => {
  const file = newFile(t);
  const first = await open(t, file);
  await Promise.all([...'abc'].map((name) => first.source.submit(register(name, { generation: 1 }))));
  await first.source.submit({ type: 'drain', key: key('b') });
  await first.source.submit(deregister('c'));
  first.close();
  const { source, seen } = await open(t, file);
  t.strictSame(seen.log().sort(), [word('+', 'a'), word('-', 'b'), word('-', 'c'), 'synced'].sort());
  t.strictSame(
    source.list().map(({ registration }) => [registration.name, registration.state]),
    [
      ['a', 'ready'],
      ['b', 'draining'],
      ['c', 'leaving'],
    ],
  );
  t.ok(
    (source.get(key('a'))?.leaseMs ?? 0) > 10_000,
    'a lease is fresh, however short it is and however long we were away',
  );
  await source.facets.finalizers.release({ kind: 'WorkloadEntry', ...key('c') });
  t.equal(source.get(key('c')), undefined);
  await t.rejects(source.submit(register('c', { generation: 1 })), { code: 'conflict' });
  await source.submit(register('c', { generation: 2 }));
  t.equal(seen.count(word('+', 'c')), 1);
});

t.test('an expired lease: the instance leaves, and the same generation may come back', async (t) => {
  const { source, seen } = await open(t, newFile(t));
  await source.submit(register('a', { generation: 7 }));
  await seen.until('it to be taken out', () => seen.count(word('-', 'a')) === 1);
  t.equal(source.get(key('a'))?.registration.state, 'leaving');
  t.throws(() => source.renew(key('a'), 7), { code: 'not-found' });
  await source.submit(register('a', { generation: 7 }));
  t.strictSame(seen.log().slice(-2), [word('-', 'a'), word('+', 'a')]);
  t.equal(source.renew(key('a'), 7).registration.state, 'ready');
  t.throws(() => source.renew(key('a'), 6), { code: 'conflict' });
});

t.test('generations race for one name: the newer wins, in any order', async (t) => {
  const { source, seen } = await open(t, newFile(t));
  await source.submit(register('a', { generation: 1 }));
  const ops = [
    source.submit(deregister('a', 1)),
    source.submit(register('a', { generation: 2, address: '10.0.0.2' })),
    source.submit(deregister('a', 1)),
    source.submit(register('a', { generation: 1 })).catch(({ code }) => code),
  ];
  t.equal((await Promise.all(ops)).at(-1), 'conflict');
  const object = seen.state().get('WorkloadEntry/shop/a');
  t.ok(object?.kind === 'WorkloadEntry' && object.spec.address === '10.0.0.2');
  await source.facets.finalizers.release({ kind: 'WorkloadEntry', ...key('a') });
  t.equal(source.get(key('a'))?.registration.generation, 2, 'nor does the release of the older one');
});

t.test('many at once share transactions', async (t) => {
  const { source, seen } = await open(t, newFile(t));
  const names = Array.from({ length: 500 }, (_, index) => `w-${index}`);
  await Promise.all(names.map((name) => source.submit(register(name))));
  t.equal(source.list().length, 500);
  const batches = seen.batches.filter((batch) => batch.some(({ type }) => type === 'upsert'));
  t.ok(batches.length <= 3, `${batches.length} batches`);
});

t.test('unusable files are reported', async (t) => {
  const file = newFile(t);
  writeFileSync(file, 'this is no database, and long enough to be seen as none. '.repeat(100));
  await t.rejects(open(t, file), { code: 'unavailable', message: /damaged.*move it aside/ });
  await t.rejects(open(t, join(file, 'nowhere', 'x.db')), { message: /folder is missing/ });
});

t.test(
  'a file that another control plane has is waited for, then refused',
  { timeout: 60_000 },
  async (t) => {
    const file = newFile(t);
    const first = await open(t, file);
    await t.rejects(open(t, file), { message: /another control plane has the file/ });
    const second = open(t, file);
    first.close();
    await t.resolves(second, 'as soon as it is free');
  },
);

t.test('an unreadable row is reported, and left alone', async (t) => {
  const file = newFile(t);
  (await open(t, file)).close();
  writeRow(file, key('a'), '{');
  writeRow(file, key('b'), { generation: 1, state: 'melting', ttlMs: 1000, spec: body });
  const { seen, source } = await open(t, file);
  t.strictSame(seen.log(), ['synced']);
  t.match(seen.errors(), [
    { where: 'registration shop/a', message: /not JSON/ },
    { where: 'registration shop/b' },
  ]);
  await source.submit(register('a'));
  t.equal(seen.count(word('+', 'a')), 1);
});

t.test('requests during the close are not acknowledged', async (t) => {
  const file = newFile(t);
  const { source, seen, close } = await open(t, file);
  await source.submit(register('a'));
  const lost = source.submit(register('b'));
  close();
  await t.rejects(lost, { code: 'unavailable' }, 'closing while it is asked');
  await t.rejects(source.submit(register('c')), { code: 'unavailable' });
  t.equal(seen.count(word('+', 'c')), 0);
});
