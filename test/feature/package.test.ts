import { execFile, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { connectXds } from '../support/clients/xds-client.ts';

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

t.test('the package, installed in an empty project, serves', { timeout: 300_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-package-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const [stage, project] = [join(folder, 'stage'), join(folder, 'project')];
  for (const path of [stage, project]) mkdirSync(path);
  // As `make build` and `npm pack` do it, but beside the tree, which others may be working in.
  const asTheyAre = ['node_modules/.isthmus-stamp', 'protos/gen/.stamp'].flatMap((path) => ['-o', path]);
  await run('make', ['build', `DIST=${join(stage, 'dist')}`, ...asTheyAre], root);
  for (const path of ['package.json', 'LICENSE', 'docs', 'wasm/assembly'])
    cpSync(join(root, path), join(stage, path), { recursive: true });
  const npm = (cwd: string, ...args: string[]) => run('npm', args, cwd);
  const { stdout } = await npm(stage, 'pack', '--ignore-scripts', '--json');
  const [{ filename, files }] = JSON.parse(stdout);
  const paths: string[] = files.map(({ path }: { path: string }) => path);
  t.ok(paths.includes('dist/src/xds/xds.js') && paths.includes('dist/protos/gen/schema.json'));
  t.same(
    paths.filter((path) => /^(src|test|node_modules)\//.test(path)),
    [],
  );

  writeFileSync(join(project, 'package.json'), '{"name":"empty","private":true,"type":"module"}');
  await npm(project, 'install', '--prefer-offline', '--no-audit', '--no-fund', join(stage, filename));
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
