import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { parse, parseAllDocuments } from 'yaml';
import { serveAdmin } from '../../src/api/admin-server.ts';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { type ListenAddress, showAddress } from '../../src/model/values/listen-address.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, type Mesh, until } from '../support/mesh.ts';
import { startInstance } from '../support/planes/evacuating.ts';
import { looks } from '../support/planes/looks.ts';
import { createPlanes } from '../support/planes/planes.ts';
import { runCli } from '../support/planes/run-cli.ts';
import { startWatching } from '../support/planes/watching.ts';

// Each command that answers a question, in each format, with each of its exit codes, next to two real IDCs.

/** An instance that answers its IDC after some milliseconds: several requests are in flight. */
async function instance(idc: string) {
  const one = await startInstance(t, (_, response) =>
    systemClock.after(20, () => response.end(`${idc} ${showAddress(one.at)}`)),
  );
  return { idc, ...one, address: showAddress(one.at) };
}

const [here, away] = [await instance('sh-a'), await instance('sh-b')];
const world = await startIdcs({
  idcs: ['sh-a', 'sh-b'],
  hopLimit: 1,
  groups: [{ name: 'one', instances: [here, away], health: '/' }],
});
t.teardown(() => world.close());
const [a, b] = [world.meshes.get('sh-a') as Mesh, world.meshes.get('sh-b') as Mesh];
const admins = [await freeAddress(), await freeAddress()] as [ListenAddress, ListenAddress];
for (const [i, { plane }] of [a, b].entries()) {
  const server = await serveAdmin(plane, admins[i] as ListenAddress, undefined);
  t.teardown(() => server.close());
}
const dir = mkdtempSync(join(tmpdir(), 'isthmus-looks-'));
t.teardown(() => rmSync(dir, { recursive: true }));
const fault = { apiVersion: 'isthmus.dev/v1alpha1', kind: 'Evacuation', metadata: { name: 'x' }, spec: {} };
const faulty = mkdtempSync(join(tmpdir(), 'isthmus-looks-faulty-'));
t.teardown(() => rmSync(faulty, { recursive: true }));
writeFileSync(join(faulty, 'fault.yaml'), JSON.stringify(fault));

let nth = 0;
const text = (world.registry.get('sh-a') ?? '').replaceAll(
  'exposeReady: false',
  () => `exposeReady: false\n  controlPlanes: ["${showAddress(admins[nth++] as ListenAddress)}"]`,
);
writeFileSync(join(dir, 'all.yaml'), text);
for (const mesh of [a, b]) mesh.save('all.yaml', text);
const evacuation = `
apiVersion: isthmus.dev/v1alpha1
kind: Evacuation
metadata: {name: planned}
spec: {idc: sh-a, percent: 10, starts: '2099-01-01T00:00:00Z', expires: '2099-01-02T00:00:00Z'}
`;
for (const mesh of [a, b]) mesh.save('evacuation.yaml', evacuation);
writeFileSync(join(dir, 'evacuation.yaml'), evacuation);

// `instances` needs registrations, which the planes above do not take.
const { planes, close } = await createPlanes(1, { files: {} });
t.teardown(close);
const [registering] = planes;
registering.start();
await registering.ready();
const cart = { address: '127.0.0.1', labels: { app: 'cart' }, ttl: '1h' };
const { status: made } = await registering.api('PUT', '/shop/cart-1', cart);
if (made !== 201) throw new Error(`a registration is answered ${made}`);

const gone = showAddress(await freeAddress());
const values: Readonly<Record<string, string>> = {
  ADMIN: showAddress(admins[0]),
  GONE: gone,
  REGISTERING: showAddress(registering.admin),
  CALLER: showAddress(world.admins.get('caller') as ListenAddress),
  DIR: dir,
  FAULTY: faulty,
  HERE: here.address,
  AWAY: away.address,
};
/** Arguments of a row with the addresses and folders of now. */
const argsOf = (line: string) =>
  line.split(' ').map((word) => word.replace(/\b[A-Z]{3,}\b/g, (name) => values[name] ?? name));
const run = (line: string) => runCli(...argsOf(line));

await until('each knows the other, and all is well', async () => {
  const { code } = await run('wait --admin ADMIN --all-idcs --timeout 0s --settle 0s');
  const { out } = await run(
    'explain --admin ADMIN --from sh-a/caller --host one.test --if HERE=down -o json',
  );
  return code === 0 && JSON.parse(out).by === 'sh-b';
});

/** The words of the first line that is a header. */
const header = (out: string) => /^ *[A-Z][A-Z /,→]+(?: {2,}[A-Z][A-Z /,→]+)+$/m.exec(out)?.[0] ?? '';

t.test('each command in each format: what programs read parses, and wide shows more', async (t) => {
  for (const { command, ask, wide, data } of looks) {
    const told = await Promise.all(['json', 'yaml', 'table', 'wide'].map((as) => run(`${ask} -o ${as}`)));
    const [json, yaml, table, more] = told.map(({ out }) => out) as [string, string, string, string];
    t.match(JSON.parse(json), data, `${command} -o json`);
    t.match(parse(yaml), data, `${command} -o yaml`);
    if (wide === undefined) continue;
    t.match(more, wide, `${command} -o wide`);
    t.notMatch(table, wide, `${command} -o table`);
    if (header(table) !== '')
      for (const column of header(table).trim().split(/ {2,}/))
        t.ok(header(more).includes(column), `${command} -o wide has ${column}`);
  }
});

t.test('an unknown format is told those that there are', async (t) => {
  for (const { command, ask } of looks)
    t.match(
      await run(`${ask} -o xml`),
      {
        code: 2,
        out: '',
        err: /'xml' is invalid\. Allowed choices are table, wide, json, yaml\./,
      },
      command,
    );
});

/** Keeps the instance of sh-a busy; returns what ends that. */
function busy(): () => Promise<unknown> {
  let isOn = true;
  const load = Array.from({ length: 20 }, async () => {
    while (isOn) await get(world.outbound, '/', { host: 'one.test' });
  });
  return () => {
    isOn = false;
    return Promise.all(load);
  };
}

/** Takes all instances down until everybody knows; returns what brings them back. */
async function nobody(): Promise<() => Promise<unknown>> {
  const question = argsOf('who one.test --admin ADMIN --for 0s');
  for (const { down } of [here, away]) down();
  await until('nobody serves it', async () => (await runCli(...question)).code === 3);
  return async () => {
    await Promise.all([here.up(), away.up()]);
    await until('it is served again', async () => {
      const codes = [
        await run('who one.test --admin ADMIN --for 0s --all-idcs'),
        await run('status --admin ADMIN'),
      ];
      const { out } = await run(
        'explain --admin ADMIN --from sh-a/caller --host one.test --if HERE=down -o json',
      );
      return codes.every(({ code }) => code === 0) && JSON.parse(out).by === 'sh-b';
    });
  };
}

/** What makes a command end with a code, where its arguments alone do not; returns what ends that. */
async function prepare(command: string, code: string): Promise<() => Promise<unknown>> {
  if (command === 'capacity' && code === '0') return busy();
  return command === 'who' && code === '3' ? nobody() : async () => {};
}

t.test('each exit code of each command', async (t) => {
  for (const { command, exits } of looks)
    for (const [code, lines] of Object.entries(exits))
      for (const line of [lines].flat()) {
        const restore = await prepare(command, code);
        const { code: ended, out, err } = await run(line);
        await restore();
        t.equal(ended, Number(code), `${command}: ${line}\n${out}${err}`);
      }
});

t.test('--all-idcs asks the control plane of the other IDC', async (t) => {
  for (const { command, ask, everywhere } of looks) {
    if (everywhere === undefined) continue;
    const [alone, all] = await Promise.all([run(`${ask} -o json`), run(`${ask} -o json --all-idcs`)]);
    t.match(all.out, everywhere, command);
    t.notMatch(alone.out, everywhere, command);
  }
});

t.test('an IDC whose control plane nobody names is told, and is a failure', async (t) => {
  a.save('all.yaml', text.replace(`controlPlanes: ["${showAddress(admins[1])}"]`, 'controlPlanes: []'));
  for (const { command, ask, everywhere } of looks) {
    if (everywhere === undefined) continue;
    let told = await run(`${ask} --all-idcs`);
    await until('it has read the file', async () => {
      told = await run(`${ask} --all-idcs`);
      return told.code !== 0;
    });
    t.match(told.out + told.err, /sh-b is not asked: its Idc names no control plane/, command);
  }
  a.save('all.yaml', text);
});

t.test('--watch in a pipe: a block when something has changed, and none before', async (t) => {
  const watching = looks
    .filter(({ watched }) => watched === true)
    .map(({ command, ask }) => {
      const process = startWatching('pipe', [...argsOf(ask), '--watch', '-o', 'yaml']);
      return { command, process, blocks: () => parseAllDocuments(process.out()).length };
    });
  await until('all have shown it', () => watching.every(({ process }) => process.out() !== ''));
  const quiet = watching.filter(({ command }) => command === 'evacuations' || command === 'config');
  await sleep(systemClock, 7_000);
  for (const { command, process, blocks } of quiet) t.equal(blocks(), 1, `${command}: ${process.out()}`);
  b.save('evacuation.yaml', evacuation.replace('planned', 'other'));
  a.save('evacuation.yaml', evacuation.replace('planned', 'other'));
  a.save('all.yaml', text.replace('exposeReady: false', 'exposeReady: true'));
  here.down();
  for (const { command, process } of watching) {
    if (['evacuations', 'who', 'status', 'explain'].includes(command))
      await until(`${command} shows the change`, () => parseAllDocuments(process.out()).length > 1);
    for (const document of parseAllDocuments(process.out()).slice(0, -1))
      t.strictSame(document.errors, [], command);
    t.equal(await process.interrupt(), 130, command);
  }
  a.save('all.yaml', text);
});

t.test('--watch without a reader ends with 141, and a control plane that is away is shown', async (t) => {
  const pipe = startWatching('pipe', argsOf('who one.test --admin ADMIN --for 0s --watch'));
  await until('it has shown it', () => pipe.out() !== '');
  pipe.stopReading();
  await here.up();
  t.equal(await pipe.ended, 141);
  const away = startWatching('pipe', argsOf('status --admin GONE --watch'));
  await until('it says so', () => /does not answer/.test(away.out()));
  t.equal(await away.interrupt(), 130);
  const wrong = startWatching('pipe', argsOf('explain --admin ADMIN --from sh-b/x --host one.test --watch'));
  t.equal(await wrong.ended, 2, 'a wrong question stays wrong');
});

t.test('--watch in a terminal redraws in place', async (t) => {
  const terminal = startWatching('terminal', argsOf('evacuations --admin ADMIN --watch'));
  const drawn = () => terminal.out().replaceAll('\x1b', 'ESC').split('ESC[H');
  await until('it is drawn twice', () => drawn().length > 2);
  const [, first = '', second = ''] = drawn();
  t.match(first, /^NAME .*ESC\[K\r\nother .*ESC\[K\r\nESC\[J$/s);
  t.equal(second.split('ESC[J')[0]?.split('\r\n').length, first.split('\r\n').length);
  t.equal(await terminal.interrupt(), 130);
});
