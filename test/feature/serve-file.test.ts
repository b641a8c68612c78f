import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { showAddress } from '../../src/model/values/listen-address.ts';
import { freeAddress, get, until } from '../support/mesh.ts';
import { idcYaml } from '../support/objects-yaml.ts';
import { linesOf } from '../support/planes/served.ts';

// `isthmus serve --file`, as operators start it.
const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const { NODE_OPTIONS: _, ...env } = process.env;
const head = 'apiVersion: isthmus.dev/v1alpha1\nkind: ControlPlaneConfig\n';

const dir = mkdtempSync(join(tmpdir(), 'isthmus-serve-file-'));
t.teardown(() => rmSync(dir, { recursive: true }));
const file = join(dir, 'isthmus.yaml');
mkdirSync(join(dir, 'objects'));
writeFileSync(join(dir, 'objects', 'idc.yaml'), idcYaml);

t.test('a value of the file overrides a default, and a flag overrides the file', async (t) => {
  const [xds, unused, admin] = [await freeAddress(), await freeAddress(), await freeAddress()];
  writeFileSync(
    file,
    `${head}idc: sh-a\nregistry: {folder: objects}\nxds: {listen: '${showAddress(unused)}'}\nadmin: {listen: '${showAddress(admin)}'}\nlog: {level: warn}\n`,
  );
  const flags = ['--file', file, '--xds', showAddress(xds), '--log-level', 'info'];
  const child = spawn(process.execPath, [main, 'serve', ...flags], {
    ...{ env: { ...env, ISTHMUS_SERVE_SHUTDOWN_GRACE: '0s', XDG_CACHE_HOME: join(dir, 'cache') }, cwd: '/' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.teardown(() => void child.kill('SIGKILL'));
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    log += chunk;
  });
  await until('it is ready', async () => (await get(admin, '/readyz')).status === 200, 240_000);
  await until('it says so', () => /"serving".*\n/.test(log));
  const serving = linesOf(log.slice(0, log.lastIndexOf('\n'))).find(({ msg }) => msg === 'serving');
  t.match(serving, { level: 'info', idc: 'sh-a', xds: showAddress(xds), admin: showAddress(admin) });
  const takes = ({ address, port }: typeof xds) =>
    new Promise<boolean>((resolve) => {
      const socket = connect(port, address, () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
  t.equal(await takes(xds), true);
  t.equal(await takes(unused), false);
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  t.strictSame(await ended, [0, null]);
});

t.test('a fault in the file prevents the start', async (t) => {
  const run = (text: string, ...command: string[]) => {
    writeFileSync(file, text);
    const { status, stderr, stdout } = spawnSync(process.execPath, [main, ...command], {
      ...{ env, encoding: 'utf8', timeout: 60_000 },
    });
    return { status, stderr, stdout };
  };
  const serve = ['serve', '--file', file, '--xds', ':0', '--admin', ':0'];
  t.match(run(`apiVersion: isthmus.dev/v2\nkind: ControlPlaneConfig\nidc: sh-a\n`, ...serve), {
    status: 2,
    stderr: /isthmus\.yaml:1:1: error: apiVersion: 'isthmus\.dev\/v2' is not known/,
  });
  const misspelt = `${head}idc: sh-a\nregistry: {foldr: objects}\n`;
  t.match(run(misspelt, ...serve), { status: 2, stderr: /isthmus\.yaml:4:12: .*Did you mean 'folder'/ });
  t.match(run(misspelt, 'config', 'check', file), {
    status: 1,
    stdout: /Did you mean 'folder'.*\n.*: invalid\n$/,
  });
  t.match(run(`${head}idc: sh-a\n`, 'config', 'check', file), {
    status: 0,
    stdout: /registry\.folder is required.*\n.*: valid\n$/,
  });
  // consul 23820: a check that passes, and a start that fails.
  const typo = `${head}idc: sh-a\nregistry: {folder: .}\nadmin: {tokenFile: tokenn}\n`;
  t.match(run(typo, 'config', 'check', file), {
    status: 0,
    stdout: /^\S*isthmus\.yaml:5: note: admin\.tokenFile: \S*tokenn does not exist.*\n\S*: valid\n$/,
  });
  t.match(run(typo, ...serve), { status: 2, stderr: /tokenn cannot be read/ });
  t.match(run(`${head}idc: sh-a\nregistry: {folder: 'none'}\n`, 'config', 'check', file), {
    stdout: /registry\.folder: \S*none does not exist/,
  });
  const kept = `${head}idc: sh-a\nregistry: {folder: 'none'}\nstate: {folder: s}\n`;
  t.notMatch(run(kept, 'config', 'check', file).stdout, /note/, 'it starts from its last good state');
  t.match(run('', 'serve', '--file', file, '--file', file), { status: 2, stderr: /give one file/ });
  t.match(run('', 'config', 'check', join(dir, 'none')), { status: 2, stderr: /none cannot be read/ });
  t.match(run(`${head}idc: sh-a\n`, 'config', 'print', '--file', file, '--config', 'o', '--xds', ':7'), {
    status: 0,
    stdout:
      /^idc: sh-a # .*isthmus\.yaml:3\nregistry:\n {2}folder: \/.*\/o # --config\n(?:.*\n)*.*listen: 127\.0\.0\.1:7 # --xds\n/m,
  });
});
