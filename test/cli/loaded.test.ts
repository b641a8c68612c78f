import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { startServe } from '../support/planes/served.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const { NODE_OPTIONS: _, ...env } = process.env;

/** Says on stderr, as the process ends, which packages and commands it loaded. */
const tell = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module';
  const loaded = new Set();
  registerHooks({
    load(url, context, next) {
      const found = /node_modules\\/((?:@[^/]+\\/)?[^/]+)\\/|cli\\/(commands)\\//.exec(url);
      if (found) loaded.add(found[1] ?? found[2]);
      return next(url, context);
    },
  });
  process.on('exit', () => process.stderr.write('\\nloaded: ' + [...loaded].sort().join(' ') + '\\n'));
`)}`;

/** The packages in what a process said; 'commands': some command. */
function loadedBy(said: string): readonly string[] {
  return /^loaded: (.*)$/m.exec(said)?.[1]?.split(' ') ?? [];
}

async function loadedIn(...args: readonly string[]): Promise<readonly string[]> {
  const command = ['--import', tell, main, ...args];
  const child = spawn(process.execPath, command, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  await once(child, 'close');
  return loadedBy(said);
}

/** Packages that take long to load, each of which most commands do without. */
const heavy = ['fastify', 'prom-client', 'pino', 'zod', 'yaml', 'undici', 'protobufjs'];

t.test('a command loads what it needs, and no more', async (t) => {
  const served = await startServe({ node: ['--import', tell] });
  t.teardown(() => served.close());
  await served.ready();
  const admin = `${served.admin.address}:${served.admin.port}`;
  const asking = ['commander', 'commands', 'undici'];
  const cases: readonly [args: readonly string[], loaded: readonly string[]][] = [
    [['--version'], ['commander']],
    [
      ['serve', '--help'],
      ['commander', 'commands'],
    ],
    [
      ['bootstrap', '--help'],
      ['commander', 'commands'],
    ],
    [['who', 'nobody.shop', '--for', '0s', '--admin', admin], asking],
    [['instances', '--admin', admin], asking],
    [
      ['status', '--admin', admin, '-o', 'yaml'],
      [...asking, 'long', 'protobufjs', 'yaml'],
    ],
  ];
  for (const [args, loaded] of cases)
    t.strictSame([...(await loadedIn(...args))].sort(), [...loaded].sort(), args.join(' '));
  const all = await loadedIn('--help');
  t.strictSame(
    heavy.filter((name) => all.includes(name)),
    ['zod', 'protobufjs'],
    'the help, which loads all commands',
  );

  served.kill('SIGTERM');
  await served.exit;
  const serving = loadedBy(served.log());
  t.strictSame(
    ['fastify', 'prom-client', 'pino', 'hdr-histogram-js'].filter((name) => serving.includes(name)),
    ['fastify', 'prom-client', 'pino', 'hdr-histogram-js'],
    'the control: what serves does',
  );
  t.strictSame(
    ['yaml', 'undici', 'pako'].filter((name) => serving.includes(name)),
    [],
  );
});
