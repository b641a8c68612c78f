import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { createXdsServer } from '../../src/xds/xds.ts';

const library = fileURLToPath(new URL('../../src/xds/xds.ts', import.meta.url));

/**
 * Runs a program of a user of the library in a process of its own: a server that is made with these options,
 * listens, and serves a real client of HTTP/2. It reports each flag of V8 that was set, whether `gc` came
 * into being, and the packages that were loaded.
 */
const user = (options: string) => `
import http2 from 'node:http2';
import { registerHooks, syncBuiltinESMExports } from 'node:module';
import v8 from 'node:v8';
import vm from 'node:vm';
const flags = [];
const packages = new Set();
v8.setFlagsFromString = ((set) => (flag) => { flags.push(flag); set(flag); })(v8.setFlagsFromString);
syncBuiltinESMExports();
registerHooks({
  resolve(specifier, context, next) {
    const from = context.parentURL ?? '';
    if (/^@?[a-z]/.test(specifier) && !/^(node|file|data):/.test(specifier) && !from.includes('/node_modules/')) packages.add(specifier);
    return next(specifier, context);
  },
});
const hasGc = () => vm.runInNewContext('typeof gc');
const before = hasGc();
const { createXdsServer } = await import(${JSON.stringify(library)});
const server = createXdsServer(${options});
server.upsert('n', [{ '@type': 'type.googleapis.com/envoy.config.cluster.v3.Cluster', name: 'a' }]);
const port = await server.listen('127.0.0.1:0');
const client = http2.connect('http://127.0.0.1:' + port);
const call = client.request({ ':method': 'POST', 'content-type': 'application/grpc',
  ':path': '/grpc.health.v1.Health/Check' });
call.end(Buffer.alloc(5));
call.resume();
const trailers = await new Promise((resolve) => call.on('trailers', resolve));
client.destroy();
await server.close(0);
console.log(JSON.stringify({ flags, before, after: hasGc(), packages: [...packages], status: trailers['grpc-status'] }));
`;

async function run(options: string, nodeArgs: readonly string[] = []) {
  const args = [
    '-u',
    'NODE_OPTIONS',
    process.execPath,
    ...nodeArgs,
    '--input-type=module',
    '--eval',
    user(options),
  ];
  const { stdout } = await promisify(execFile)('env', args);
  return JSON.parse(stdout);
}

t.test('a process that uses the library keeps its V8 flags, unless it asks', async (t) => {
  t.match(await run('{}'), { flags: [], before: 'undefined', after: 'undefined', status: '0' });
  t.match(await run('{ collectYoungMemory: false }'), { flags: [] });
  const asked = await run('{ collectYoungMemory: true }');
  t.match(
    asked,
    { flags: ['--expose-gc', '--no-expose-gc'], status: '0' },
    'the control: flags that are set are seen',
  );
  const own = await run('{ collectYoungMemory: true }', ['--expose-gc']);
  t.match(own, { flags: [], before: 'function', after: 'function' }, 'a process that has the flag keeps it');
});

t.test(
  'the library serves by Node’s HTTP/2 alone, and has no inside of another server to reach into',
  async (t) => {
    const { packages } = await run('{}');
    t.ok(packages.includes('protobufjs/minimal.js'), 'the control: packages are seen');
    t.notOk(
      packages.some((name: string) => name.startsWith('@grpc/')),
      packages.join(' '),
    );
  },
);

t.test('an address without a host or a port is refused, and not listened on nowhere', async (t) => {
  const server = createXdsServer();
  t.teardown(() => server.close(0));
  for (const address of ['', '18000', ':18000', '127.0.0.1', '127.0.0.1:', '127.0.0.1:65536', '[::1]'])
    await t.rejects(server.listen(address), { code: 'invalid', message: /write HOST:PORT/ }, address);
  for (const address of ['127.0.0.1:0', '[::1]:0', 'localhost:0'])
    t.ok((await server.listen(address)) > 0, address);
});

t.test('limits that are misspelled, or no numbers, are refused', async (t) => {
  const made = (limits: object) => () => createXdsServer({ limits } as never);
  t.throws(made({ intake: { messageByteMax: 5 } }), {
    code: 'invalid',
    message: /^limits\.intake\.messageByteMax: not known/,
  });
  t.throws(made({ intakes: {} }), {
    message: /^limits\.intakes: not known; there are admission, budget, intake, pace$/,
  });
  for (const streamsMax of [Number.NaN, -1, '7', undefined])
    t.throws(made({ admission: { streamsMax } }), {
      message: /^limits\.admission\.streamsMax: must be a number/,
    });
  await made({ admission: { streamsMax: Number.POSITIVE_INFINITY }, pace: { share: 0.5 } })().close();
});
