import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { readConfigFile } from '../../src/config/config-file.ts';
import { neededBeside, resolveConfig } from '../../src/config/resolve.ts';
import { showOrigin } from '../../src/config/setting.ts';

const dir = mkdtempSync(join(tmpdir(), 'isthmus-resolve-'));
t.teardown(() => rmSync(dir, { recursive: true }));
const file = join(dir, 'f.yaml');

/** Writes the file. */
function save(...lines: string[]): void {
  writeFileSync(
    file,
    ['apiVersion: isthmus.dev/v1alpha1', 'kind: ControlPlaneConfig', ...lines, ''].join('\n'),
  );
}

const given = (flags: Readonly<Record<string, unknown>>) => new Map(Object.entries(flags));
const flags = given({ idc: 'sh-a', 'registry.folder': 'objects' });

t.test('precedence: flag, environment, file, default', async (t) => {
  save('log: {level: debug}', 'xds: {listen: 10.0.0.1:1}', 'shutdown: {grace: 2s}', 'idc: sh-b');
  const { config, settings } = resolveConfig({
    file: readConfigFile(file),
    environment: {
      ISTHMUS_SERVE_LOG_LEVEL: 'warn',
      ISTHMUS_SERVE_XDS_LISTEN: ':2',
      ISTHMUS_ADMIN: 'not for it',
    },
    flags: new Map([...flags, ['xds.listen', { address: '127.0.0.1', port: 3 }]]),
  });
  t.match(config, {
    idc: 'sh-a',
    xds: { listen: { port: 3 }, tools: true },
    log: { level: 'warn' },
    shutdown: { grace: 2_000 },
    deletions: { ackLimit: 30_000, reconnectLimit: 15_000 },
    state: { folder: undefined, filters: undefined },
  });
  const origins = Object.fromEntries(settings.map(({ name, origin }) => [name, showOrigin(origin)]));
  t.match(origins, {
    idc: '--idc',
    'xds.listen': '--xds',
    'log.level': 'ISTHMUS_SERVE_LOG_LEVEL',
    'shutdown.grace': `${file}:5`,
    'deletions.ackLimit': 'default',
  });
});

t.test('filters follow the folder of the state, wherever that is from', async (t) => {
  const of = (environment: Record<string, string>) =>
    resolveConfig({ environment, flags }).config.state.filters;
  t.equal(of({}), undefined);
  t.equal(of({ ISTHMUS_SERVE_STATE_FOLDER: '/s' }), '/s/filters');
  t.equal(of({ ISTHMUS_SERVE_STATE_FOLDER: '/s', ISTHMUS_SERVE_STATE_FILTERS: '/f' }), '/f');
});

t.test('all faults are reported, also in overridden values', async (t) => {
  save('xds: {listen: here}');
  const environment = {
    ISTHMUS_SERVE_LOG_LEVEL: 'loud',
    ISTHMUS_SERVE_IDCS: 'a',
    ISTHMUS_SERVE_STATE_FOLDER: '',
  };
  t.throws(
    () =>
      resolveConfig({
        ...{ file: readConfigFile(file), environment },
        flags: new Map([...flags, ['xds.listen', { address: '127.0.0.1', port: 3 }], ['log.level', 'info']]),
      }),
    {
      code: 'invalid',
      message: [
        `${file}:3:7: error: xds.listen: 'here' is not an address: write HOST:PORT, with an IP address as HOST.`,
        "ISTHMUS_SERVE_LOG_LEVEL: error: give one of debug, info, warn, error, not 'loud'.",
        "ISTHMUS_SERVE_IDCS: error: no option has this name: correct or unset it. Did you mean 'ISTHMUS_SERVE_IDC'?",
        'ISTHMUS_SERVE_STATE_FOLDER: error: is empty: give a path, or leave it out.',
      ].join('\n'),
    },
  );
});

t.test('variables that Kubernetes sets for a Service named isthmus-serve are no options', async (t) => {
  const environment = {
    ISTHMUS_SERVE_SERVICE_HOST: '10.96.0.1',
    ISTHMUS_SERVE_PORT: 'tcp://10.96.0.1:15010',
    ISTHMUS_SERVE_PORT_15010_TCP_ADDR: '10.96.0.1',
  };
  t.equal(resolveConfig({ environment, flags }).config.idc, 'sh-a');
});

t.test('required options and dependencies are reported, with how to set them', async (t) => {
  t.throws(() => resolveConfig({ environment: {}, flags: new Map() }), {
    message: [
      'idc is required: give --idc <name>, idc in the file of --file, or ISTHMUS_SERVE_IDC.',
      'registry.folder is required: give --config <dir>, registry.folder in the file of --file, or ISTHMUS_SERVE_REGISTRY_FOLDER. Or --kubeconfig <file>, or --in-cluster on.',
    ].join('\n'),
  });
  t.throws(
    () => resolveConfig({ environment: {}, flags: new Map([...flags, ['registry.registrations', 'r.db']]) }),
    {
      message:
        '--registrations needs --admin-token-file (admin.tokenFile): without a token no instance may register. Give a file with at least 16 characters',
    },
  );
  const remotes = new Map([...flags, ['registry.remotes', 'istio-system']]);
  t.throws(() => resolveConfig({ environment: {}, flags: remotes }), {
    message:
      '--remotes needs --kubeconfig or --in-cluster: Remotes are registered in the API server of a Primary',
  });
  const selected = new Map([...flags, ['registry.discoveryNamespaces', 'mesh=on']]);
  t.throws(() => resolveConfig({ environment: {}, flags: selected }), {
    message:
      '--discovery-namespaces needs --kubeconfig or --in-cluster: a folder has no labels of namespaces',
  });
  save('peers:', '  admin: [10.0.0.1:1]', 'registry: {registrations: r.db}');
  t.throws(() => resolveConfig({ file: readConfigFile(file), environment: {}, flags }), {
    message: new RegExp(
      `^${file}:5: registry.registrations: needs --admin-token-file .*\n${file}:4: peers.admin: needs`,
    ),
  });
  const more = new Map([...flags, ['admin.tokenFile', 'token']]);
  t.equal(
    resolveConfig({ file: readConfigFile(file), environment: {}, flags: more }).config.peers.admin?.length,
    1,
  );
});

t.test('a file may leave required options to flags, which is noted', async (t) => {
  save('idc: sh-a', 'registry: {registrations: r.db}');
  const read = readConfigFile(file);
  t.strictSame(read.faults, []);
  t.match(neededBeside(read), [
    /^registry.folder is required/,
    /f\.yaml:4: registry\.registrations: needs --admin-token-file/,
  ]);
});

t.test('both servers on one address are reported, whatever gave the address', async (t) => {
  const clash = (more: Readonly<Record<string, string>>) => () =>
    resolveConfig({ environment: more, flags }).config;
  const listen = (xds: string, admin: string) =>
    clash({ ISTHMUS_SERVE_XDS_LISTEN: xds, ISTHMUS_SERVE_ADMIN_LISTEN: admin });
  const message =
    'ISTHMUS_SERVE_ADMIN_LISTEN: admin.listen: clashes with xds.listen (127.0.0.1:15010): give one of them another port';
  t.throws(clash({ ISTHMUS_SERVE_ADMIN_LISTEN: ':15010' }), { message });
  t.throws(clash({ ISTHMUS_SERVE_XDS_LISTEN: '0.0.0.0:15014' }), {
    message: /^ISTHMUS_SERVE_XDS_LISTEN: xds.listen: clashes with admin.listen \(127.0.0.1:15014\)/,
  });
  t.throws(listen('10.0.0.1:1', '[::]:1'), { message: /clashes/ });
  for (const [xds, admin] of [
    ['10.0.0.1:1', '10.0.0.2:1'],
    ['10.0.0.1:1', '0.0.0.0:2'],
    ['127.0.0.1:0', '127.0.0.1:0'],
  ] as const)
    t.doesNotThrow(listen(xds, admin), `${xds} ${admin}`);
});
