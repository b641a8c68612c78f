import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { type AdminServer, serveAdmin } from '../../src/api/admin-server.ts';
import type { CheckLine } from '../../src/cli/check/check-line.ts';
import { type ListenAddress, showAddress } from '../../src/model/values/listen-address.ts';
import { startIdcs } from '../support/idcs.ts';
import { freeAddress, get, type Mesh, until } from '../support/mesh.ts';
import { startInstance } from '../support/planes/evacuating.ts';
import { runCli } from '../support/planes/run-cli.ts';

// isthmus check beside two IDCs of real Envoys: a gateway hangs and dies, and a control plane is gone.

const home = await startInstance(t, (_, response) => response.end('home'));
const away = await startInstance(t, (_, response) => response.end('away'));
const instances = [
  { idc: 'sh-a', at: home.at },
  { idc: 'sh-b', at: away.at },
];
const world = await startIdcs({
  idcs: ['sh-a', 'sh-b'],
  hopLimit: 1,
  groups: [
    { name: 'one', instances, health: '/' },
    // Its only instance is at home: checks of it through the other IDC's gateway fail, though that answers.
    { name: 'here', instances: [{ idc: 'sh-a', at: home.at }], health: '/' },
  ],
});
t.teardown(() => world.close());

const token = 'a token of sixteen and more';
const dir = mkdtempSync(join(tmpdir(), 'isthmus-check-'));
t.teardown(() => rmSync(dir, { recursive: true }));
const [tokenFile, wrongFile] = [join(dir, 'token'), join(dir, 'wrong')];
writeFileSync(tokenFile, token, { mode: 0o600 });
writeFileSync(wrongFile, `${token}, another`, { mode: 0o600 });

const names = ['sh-a', 'sh-b'] as const;
const admins = new Map<string, ListenAddress>();
const servers = new Map<string, AdminServer>();
for (const name of names) {
  const at = await freeAddress();
  admins.set(name, at);
  servers.set(name, await serveAdmin((world.meshes.get(name) as Mesh).plane, at, token));
}
t.teardown(() => Promise.all([...servers.values()].map((server) => server.close())));
const adminOf = (idc: string) => showAddress(admins.get(idc) as ListenAddress);
for (const name of names) {
  const mesh = world.meshes.get(name) as Mesh;
  let nth = 0;
  const text = (world.registry.get(name) ?? '').replaceAll(
    'exposeReady: false',
    () => `exposeReady: false\n  controlPlanes: ["${adminOf(names[nth++] ?? '')}"]`,
  );
  mesh.save('all.yaml', text);
  await until('it knows the control planes', () => mesh.plane.status().others[0]?.controlPlanes.length === 1);
}

/** `isthmus check` of sh-a and, by it, sh-b: its lines as JSON, and its exit code. */
async function check(...more: readonly string[]): Promise<{ code: number; lines: readonly CheckLine[] }> {
  const args = ['--admin', adminOf('sh-a'), '--all-idcs', '-o', 'json', ...more];
  const { code, out } = await runCli('check', ...args);
  return { code, lines: JSON.parse(out) };
}

/** The same, again until a line says so. */
async function checkUntil(what: string, is: (line: CheckLine) => boolean) {
  let seen = await check();
  await until(
    what,
    async () => {
      seen = await check();
      return seen.lines.some(is);
    },
    120_000,
  );
  return seen;
}

const peerOf = (idc: string) => showAddress(world.gateways.get(idc)?.peer as ListenAddress);
const isFrom = (idc: string) => (line: CheckLine) =>
  line.topic === 'gateways' && line.what.endsWith(`from ${idc}`);

/** What the egress of sh-a says itself of the ingress of sh-b, for a Group. */
async function flagsAtEgress(group: string): Promise<string> {
  const { body } = await get(world.admins.get('sh-a-egress') as ListenAddress, '/clusters');
  const line = body
    .split('\n')
    .find((one) => one.startsWith(`idcs/${group}.test:80::${peerOf('sh-b')}::health_flags`));
  return line?.split('::').at(-1) ?? 'not there';
}

const notWell = (lines: readonly CheckLine[]) => lines.filter(({ result }) => result !== 'ok');

t.test('all is well: each topic has been looked at, and nothing is told', async (t) => {
  await checkUntil(
    'both egress gateways have checked',
    (line) => isFrom('sh-a')(line) && line.result === 'ok',
  );
  await checkUntil('and the other', (line) => isFrom('sh-b')(line) && line.result === 'ok');
  const { code, lines } = await check('--token-file', tokenFile);
  t.strictSame(notWell(lines), []);
  t.equal(code, 0);
  const topics = new Set(lines.map(({ topic }) => topic));
  t.strictSame([...topics], ['addresses', 'tokens', 'clocks', 'gateways', 'versions']);
  const gateway = lines.find(isFrom('sh-a'));
  t.match(gateway, {
    what: `${peerOf('sh-b')} of sh-b, from sh-a`,
    found: "reached by sh-a-egress; the control plane's probe: answers",
  });
  t.equal(await flagsAtEgress('one'), 'healthy', 'as that Envoy itself says');
  const addresses = lines.filter(({ topic }) => topic === 'addresses').map(({ what }) => what);
  for (const idc of names) {
    const { edge, peer, sidecar, ingress } = world.gateways.get(idc) as NonNullable<
      ReturnType<typeof world.gateways.get>
    >;
    for (const at of [edge, peer, sidecar, ingress, (world.meshes.get(idc) as Mesh).plane.xds])
      t.ok(
        addresses.some((what) => what.startsWith(`${showAddress(at)}, `)),
        showAddress(at),
      );
  }
  t.match(
    lines
      .filter(({ topic }) => topic === 'versions')
      .map(({ found }) => found)
      .join('\n'),
    /2 envoy 1\.40\.\d+ in sh-b/,
  );
});

t.test('as a table: what was found, how, and a sum', async (t) => {
  const { out, code } = await runCli('check', '--admin', adminOf('sh-a'));
  t.equal(code, 0);
  t.match(
    out,
    /^addresses\n {2}ok {8}127\.0\.0\.1:\d+, control plane: the control plane of sh-a answers in .* \(GET \/status\)$/m,
  );
  t.match(out, /^tokens\n {2}not seen {2}token: none was given \(nothing\)\n {12}→ give --token-file/m);
  t.match(out, /^0 failed, 0 warnings, 1 not seen, \d+ ok$/m);
});

t.test('a report has both IDCs, with a line for each Envoy', async (t) => {
  const { code, out, err } = await runCli('bug-report', '-', '--admin', adminOf('sh-a'), '--all-idcs');
  t.equal(code, 0, err);
  for (const [idc, proxies] of [
    ['sh-a', ['caller', 'sh-a-egress', 'sh-a-ingress']],
    ['sh-b', ['sh-b-egress', 'sh-b-ingress']],
  ] as const) {
    const [, part = ''] = out.split(`==== ${adminOf(idc)}, control plane of ${idc}: proxies\n`);
    for (const proxy of proxies)
      t.match(
        part.split('====')[0],
        new RegExp(`^${proxy} .* ${idc} +envoy 1\\.40\\.\\d+ .* CDS SYNCED`, 'm'),
        proxy,
      );
  }
  t.match(out, /^- nothing was missing$/m);
});

t.test('tokens: a wrong one, and a file that everybody may read', async (t) => {
  const wrong = await check('--token-file', wrongFile);
  t.equal(wrong.code, 1);
  t.match(
    wrong.lines.filter(({ result }) => result === 'fail').map(({ what, found }) => [what, found]),
    names.map((idc) => [`token, at ${adminOf(idc)}`, /the token is wrong/]),
  );
  chmodSync(tokenFile, 0o644);
  const open = await check('--token-file', tokenFile);
  chmodSync(tokenFile, 0o600);
  t.equal(open.code, 0, 'a warning fails nothing');
  t.match(notWell(open.lines), [{ result: 'warn', found: /mode 0644: everybody may read it/ }]);
  const none = await check('--token-file', join(dir, 'none'));
  t.equal(none.code, 1);
  t.match(notWell(none.lines), [{ result: 'fail', topic: 'tokens', found: /it does not exist/ }]);
});

t.test('a gateway of the other IDC hangs, and is well again', async (t) => {
  const pid = world.pids.get('sh-b-ingress') as number;
  process.kill(pid, 'SIGSTOP');
  try {
    const { code, lines } = await checkUntil(
      'the egress has found out',
      (line) => isFrom('sh-a')(line) && line.result === 'fail',
    );
    t.equal(code, 1);
    t.match(await flagsAtEgress('one'), /failed_active_hc/);
    t.match(
      lines.find(isFrom('sh-a'))?.found,
      /^not reached by sh-a-egress: (?:fails its health check|health check times out|says that it cannot serve).* Groups? read\); .*probe: silent$/,
    );
    t.match(
      lines.find(({ what }) => what.startsWith(`${peerOf('sh-b')}, peerPort`)),
      {
        result: 'fail',
        found: 'accepts the connection and answers nothing',
      },
    );
    t.equal(lines.find(isFrom('sh-b'))?.result, 'ok', 'the other way is well');
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  const { code } = await checkUntil('it is back', (line) => isFrom('sh-a')(line) && line.result === 'ok');
  t.equal(code, 0);
});

t.test('no instance behind a gateway that answers', async (t) => {
  away.down();
  const { code, lines } = await checkUntil(
    'the egress has found out',
    (line) => isFrom('sh-a')(line) && line.result !== 'ok',
  );
  t.equal(code, 0, 'the gateway is well');
  t.match(lines.find(isFrom('sh-a')), {
    result: 'warn',
    found: /probe: answers$/,
    todo: /look at the instances/,
  });
});

t.test('a gateway is dead', async (t) => {
  process.kill(world.pids.get('sh-b-ingress') as number, 'SIGKILL');
  const { code, lines } = await checkUntil(
    'the egress has found out',
    (line) => isFrom('sh-a')(line) && line.result === 'fail',
  );
  t.equal(code, 1);
  t.match(lines.find(isFrom('sh-a'))?.found, /probe: refused$/);
  t.match(
    lines.find(({ what }) => what.startsWith(`${peerOf('sh-b')}, peerPort`)),
    {
      result: 'fail',
      found: 'no connection can be opened',
      todo: 'start the gateway, or correct spec.ingress of Idc sh-b',
    },
  );
  const alone = await runCli('check', '--admin', adminOf('sh-a'), '-o', 'json');
  t.match(
    JSON.parse(alone.out).find(({ what }: CheckLine) => what.startsWith(`${peerOf('sh-b')}, peerPort`)),
    { result: 'warn', found: /the control plane of that IDC was not asked$/ },
  );
});

t.test('a control plane is gone', async (t) => {
  await servers.get('sh-b')?.close();
  const { code, lines } = await check();
  t.equal(code, 1);
  t.match(
    lines.find(({ what }) => what === `${adminOf('sh-b')}, control plane`),
    {
      result: 'fail',
      found: /does not answer/,
    },
  );
  const none = await runCli('check', '--admin', adminOf('sh-b'));
  t.equal(none.code, 2, 'nobody is left to ask');
  t.match(none.out, /^1 failed/m);
});
