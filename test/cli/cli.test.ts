import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parse } from 'yaml';
import { findEnvoy } from '../support/envoy.ts';
import { freeAddress, get, until } from '../support/mesh.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

// The test runner's own loaders are not the users'.
const { NODE_OPTIONS: _, ...env } = process.env;

function isthmus(...args: string[]): { code: number | null; out: string; err: string } {
  const run = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', env, timeout: 30_000 });
  return { code: run.status, out: run.stdout, err: run.stderr };
}

const dir = mkdtempSync(join(tmpdir(), 'isthmus-cli-'));
t.teardown(() => rmSync(dir, { recursive: true }));
writeFileSync(
  join(dir, 'idc.yaml'),
  `apiVersion: isthmus.dev/v1alpha1
kind: Idc
metadata: {name: sh-a}
spec:
  ingress: [{address: 127.0.0.1, edgePort: 1, peerPort: 2}]
  egress: [{address: 127.0.0.1, sidecarPort: 3, ingressPort: 4}]
`,
);
writeFileSync(
  join(dir, 'service.yaml'),
  `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: echo, namespace: shop}
spec:
  hosts: [echo.shop]
  resolution: STATIC
  location: MESH_INTERNAL
  ports: [{number: 80, name: http, protocol: HTTP}]
`,
);

t.test('every command has help, on stdout, and it is no error', async (t) => {
  for (const command of [
    [],
    ['serve'],
    ['status'],
    ['who'],
    ['explain'],
    ['events'],
    ['wait'],
    ['validate'],
    ['bootstrap'],
    ['capacity'],
    ['run'],
    ['deregister'],
    ['instances'],
    ['drill'],
    ['drill', 'outage'],
    ['drill', 'live'],
    ['drill', 'live', 'evacuate'],
  ]) {
    const { code, out } = isthmus(...command, '--help');
    t.equal(code, 0, command.join(' '));
    t.match(out, /Usage: isthmus/);
  }
  const { out } = isthmus('evacuate', '--help');
  t.strictSame(out.match(/env: *\s*ISTHMUS_(?:ENVOY|ADMIN)/g)?.length, 2, 'each variable is named once');
  t.match(isthmus('--version').out, /^\d+\.\d+\.\d+\n$/);
});

t.test('a reader that has gone ends every command quietly, as SIGPIPE ends other programs', async (t) => {
  // The standard output is a pipe whose reader has ended before the command begins.
  const gone = 'exec {out}> >(true); wait $!; exec "$@" >&$out';
  const run = (...args: string[]) =>
    spawnSync('bash', ['-c', gone, 'bash', process.execPath, main, ...args], {
      encoding: 'utf8',
      env,
      timeout: 30_000,
    });
  const commands = [[], ['serve'], ['status'], ['run'], ['evacuate'], ['drill', 'outage'], ['drill', 'live']];
  for (const args of [
    ...commands.map((command) => [...command, '--help']),
    ['--version'],
    ['validate', dir],
  ]) {
    const { status, stderr } = run(...args);
    t.same({ status, stderr }, { status: 141, stderr: '' }, args.join(' '));
  }
  const wrong = run('serv');
  t.equal(wrong.status, 2, 'what is wrong is said, and its exit code kept');
  t.match(wrong.stderr, /Did you mean serve\?/);
});

t.test('a full standard output is reported, and exits with 2', async (t) => {
  const { status, stderr } = spawnSync(
    'bash',
    ['-c', 'exec "$@" >/dev/full', 'bash', process.execPath, main, '--help'],
    { encoding: 'utf8', env, timeout: 30_000 },
  );
  t.equal(status, 2);
  t.match(stderr, /^isthmus: the standard output takes no more: ENOSPC.*\n$/);
});

t.test('the help lists the commands by the life of a control plane, within 80 columns', async (t) => {
  const { out } = isthmus('--help');
  const names = [...(out.split('Commands:')[1] ?? '').matchAll(/^ {2}([a-z]+)/gm)].map(([, name]) => name);
  const inOrder = [
    ...['quickstart', 'validate', 'config', 'serve', 'bootstrap', 'status', 'check', 'who', 'top', 'explain'],
    ...['events', 'diff', 'wait', 'run', 'instances', 'deregister', 'evacuate', 'drill'],
  ];
  t.strictSame(
    names.filter((name = '') => inOrder.includes(name)),
    inOrder,
  );
  t.match(out, /^Exit code: 0 done; 1 /m);
  t.match(out, /^Example:\n {2}isthmus validate /m);
  t.strictSame(
    out.split('\n').filter((line) => line.length > 80),
    [],
  );
});

t.test('wrong usage says what would be right, and exits with 2', async (t) => {
  const scenario = fileURLToPath(new URL('../../src/drill/scenarios/gray.yaml', import.meta.url));
  const wrong: [string[], RegExp][] = [
    [
      ['drill', 'run', scenario, '--check', '--rate', 'coller=1'],
      /gray\.yaml has no rate 'coller': there are /,
    ],
    [['drill', 'live', 'evacuate', 'sh-a', '--baseline', '0s'], /give 1s to 24h, not '0s'/],
    [['serv'], /Did you mean serve\?/],
    [['serve', '--config', dir], /--idc/],
    [['serve', '--idcs', 'sh-a'], /unknown option '--idcs'\s+\(Did you mean --idc\?\)/],
    [['serve'], /--idc <name>.*\n.*--config <dir>/],
    [['bootstrap', '--rol', 'egress'], /unknown option '--rol'\s+\(Did you mean --role\?\)/],
    [['bootstrap'], /^error: give --role <role>, --idc <name>, --id <id>: they are required\.\n/],
    [['bootstrap', '--role', 'egress', '--idc', 'sh-a'], /^error: give --id <id>: it is required\.\n/],
    [['run', '--', 'true'], /^error: give --group <name>, --port <\[name=\]port>: they are required\.\n/],
    [['serve', '--idc', 'SH-A', '--config', dir], /'SH-A' is not an IDC name/],
    [['serve', '--idc', 'sh-a', '--config', dir, '--xds', 'here'], /write HOST:PORT/],
    [['serve', '--idc', 'sh-a', '--config', dir, '--hop-limit', '5'], /0 to 4/],
    [['serve', '--idc', 'sh-a', '--config', dir, '--loop-prevention', 'none'], /on, off/],
    [['serve', '--idc', 'sh-a', '--config', dir, '--deletion-ack-limit', '30'], /'30' is not a duration/],
    [['serve', '--idc', 'sh-a', '--config', dir, '--deletion-ack-limit', '100ms'], /1s to 1h/],
    [['serve', '--idc', 'sh-a', '--config', dir, '--deletion-reconnect-limit', '2h'], /1s to 1h/],
    [['serve', '--idc', 'sh-a', '--config', join(dir, 'nowhere')], /nowhere/],
    [
      [
        'serve',
        '--idc',
        'sh-a',
        '--config',
        dir,
        '--state',
        join(dir, 'idc.yaml'),
        '--xds',
        ':0',
        '--admin',
        ':0',
      ],
      /the folder of --state cannot be made: .*idc\.yaml.*give another/,
    ],
    [
      ['serve', '--idc', 'sh-a', '--config', dir, '--registrations', join(dir, 'r.db')],
      /--registrations needs --admin-token-file/,
    ],
    [['bootstrap', '--role', 'gateway', '--idc', 'a', '--id', 'x'], /sidecar, ingress, egress/],
    [
      ['serve', '--idc', 'sh-a', '--config', dir, '--admin-token-file', join(dir, 'none')],
      /--admin-token-file: .*none cannot be read: it does not exist \(ENOENT\)/,
    ],
    [['deregister', '--name', 'x', '--token-file', dir], /--token-file: .* cannot be read: it is a folder/],
    [
      ['deregister', '--name', 'x', '--token-file', import.meta.filename],
      /holds more than a token: give one line/,
    ],
    [['drill', 'outage', '--outage', 'flood'], /kill.*stop.*drop/],
    [['validate', join(dir, 'nowhere')], /nowhere/],
  ];
  for (const [args, words] of wrong) {
    const { code, out, err } = isthmus(...args);
    t.equal(code, 2, args.join(' '));
    t.match(err, words);
    t.equal(out, '', 'nothing on stdout');
  }
});

t.test('validate: 0 when all is well, 1 when an object is not', async (t) => {
  t.equal(isthmus('validate', dir).code, 0);
  const bad = mkdtempSync(join(tmpdir(), 'isthmus-bad-'));
  t.teardown(() => rmSync(bad, { recursive: true }));
  writeFileSync(
    join(bad, 'idc.yaml'),
    'apiVersion: isthmus.dev/v1alpha1\nkind: Idc\nmetadata: {name: a}\nspec: {}\n',
  );
  const { code, out } = isthmus('validate', bad);
  t.equal(code, 1);
  t.match(out, /idc\.yaml:4/);
  const asJson = isthmus('validate', bad, '-o', 'json');
  t.equal(asJson.code, 1);
  t.ok(JSON.parse(asJson.out).problems.length > 0);
});

t.test('a bootstrap is one that envoy takes', async (t) => {
  for (const role of [
    [
      'sidecar',
      '--inbound',
      '127.0.0.1:15006',
      '--app',
      'unix:///run/app.sock',
      '--outbound',
      '127.0.0.1:15001',
    ],
    ['sidecar', '--outbound', '127.0.0.1:15001', '--unknown-hosts', 'pass', '--admin', '127.0.0.1:15000'],
    ['ingress', '--zone', 'z1'],
    ['egress', '--xds', '127.0.0.1:1', '--xds', '127.0.0.1:2', '--xds-mode', 'sotw'],
  ]) {
    const { code, out } = isthmus('bootstrap', '--idc', 'sh-a', '--id', 'x', '--role', ...role);
    t.equal(code, 0);
    const { node } = parse(out);
    t.equal(node.id, 'x');
    t.strictSame(
      [node.locality.zone, node.metadata.isthmus.zone],
      role[0] === 'ingress' ? ['z1', 'z1'] : [undefined, undefined],
    );
    const file = join(dir, `.${role[0]}.bootstrap.yaml`);
    writeFileSync(file, out);
    const envoy = spawnSync(findEnvoy(), ['--mode', 'validate', '-c', file, '-l', 'error'], {
      encoding: 'utf8',
    });
    t.equal(envoy.status, 0, envoy.stderr);
  }
});

t.test('serve: a port in use is reported before anything starts', async (t) => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  t.teardown(() => taken.close());
  const { port } = taken.address() as { port: number };
  const free = await freeAddress();
  for (const [option, other] of [
    ['--xds', '--admin'],
    ['--admin', '--xds'],
  ] as const) {
    const { code, err } = isthmus(
      ...['serve', '--idc', 'sh-a', '--config', dir],
      ...[option, `127.0.0.1:${port}`, other, `127.0.0.1:${free.port}`],
    );
    t.equal(code, 2, option);
    t.match(err, new RegExp(`${port}`));
    t.match(err, /another process listens there/);
  }
});

t.test('serve: loop prevention is off only on request, and then it is reported everywhere', async (t) => {
  const [xds, admin] = [await freeAddress(), await freeAddress()];
  const args = [
    'serve',
    '--idc',
    'sh-a',
    '--config',
    dir,
    '--log-level',
    'error',
    '--loop-prevention',
    'off',
    '--filters',
    join(dir, '.filters'),
  ];
  const addresses = ['--xds', `127.0.0.1:${xds.port}`, '--admin', `127.0.0.1:${admin.port}`];
  const child = spawn(process.execPath, [main, ...args, ...addresses], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let log = '';
  child.stderr.on('data', (chunk) => {
    log += chunk;
  });
  await until('it is ready', async () => (await get(admin, '/readyz')).status === 200);
  t.match(log, /LOOP PREVENTION IS OFF/, 'in the log, whatever its level');
  const told = { severity: 'error', where: '--loop-prevention', message: /circles/ };
  const status = JSON.parse((await get(admin, '/status')).body);
  t.match(status, { loopPrevention: 'off', problems: [told] });
  t.match(JSON.parse((await get(admin, '/problems')).body), [told]);
  t.match((await get(admin, '/metrics')).body, /isthmus_loop_prevention\{idc="sh-a"\} 0/);
});

t.test('serve: ready, asked, ended by SIGTERM', async (t) => {
  const xds = await freeAddress();
  const admin = await freeAddress();
  const args = ['serve', '--idc', 'sh-a', '--config', dir, '--log-level', 'error'];
  args.push('--filters', join(dir, '.filters'));
  const child = spawn(
    process.execPath,
    [main, ...args, '--xds', `127.0.0.1:${xds.port}`, '--admin', `127.0.0.1:${admin.port}`],
    { env, stdio: 'ignore' },
  );
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  t.teardown(() => child.kill('SIGKILL'));
  await until('it is ready', async () => (await get(admin, '/readyz')).status === 200);
  const status = JSON.parse((await get(admin, '/status')).body);
  t.match(status, { idc: 'sh-a', ready: true, proxies: [], loopPrevention: 'on' });
  t.same(status.problems, []);
  t.match((await get(admin, '/metrics')).body, /isthmus_ready\{idc="sh-a"\} 1/);
  t.equal((await get(admin, '/nowhere')).status, 404);
  const write = await get(admin, '/confirm-deletes', { method: 'POST' });
  t.equal(write.status, 403, 'writes need a token');
  t.match(write.body, /--admin-token-file/);
  child.kill('SIGTERM');
  t.equal(await ended, 0);
});
