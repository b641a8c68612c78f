import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { startServe } from '../support/planes/served.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const { NODE_OPTIONS: _, ...env } = process.env;

/** Says on stderr, as the process ends, whether it loaded the server library, which is CommonJS. */
const tell = `data:text/javascript,${encodeURIComponent(`
  import { createRequire } from 'node:module';
  const { cache } = createRequire('file:///');
  process.on('exit', () => {
    const found = Object.keys(cache).some((path) => /node_modules.fastify/.test(path));
    process.stderr.write(found ? 'library: loaded' : 'library: not loaded');
  });
`)}`;

async function saidBy(...args: readonly string[]): Promise<string> {
  const command = ['--import', tell, main, ...args];
  const child = spawn(process.execPath, command, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  await once(child, 'close');
  return said;
}

t.test('commands that ask a control plane load no server library', async (t) => {
  const served = await startServe({ node: ['--import', tell] });
  t.teardown(() => served.close());
  await served.ready();
  const admin = `${served.admin.address}:${served.admin.port}`;
  t.match(await saidBy('--version'), /library: not loaded/);
  t.match(await saidBy('status', '--admin', admin), /library: not loaded/);
  t.match(await saidBy('instances', '--admin', admin), /library: not loaded/);
  served.kill('SIGTERM');
  await served.exit;
  t.match(served.log(), /library: loaded/, 'the control: what serves does');
});
