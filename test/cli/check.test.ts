import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { serveAdmin } from '../../src/api/admin-server.ts';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { packageVersion } from '../../src/base/package/version.ts';
import { askPlane } from '../../src/cli/check/asked-plane.ts';
import { checkAddresses } from '../../src/cli/check/check-addresses.ts';
import { checkClocks } from '../../src/cli/check/check-clocks.ts';
import type { CheckLine } from '../../src/cli/check/check-line.ts';
import { checkVersions } from '../../src/cli/check/check-versions.ts';
import { portOwner } from '../../src/cli/check/port-owner.ts';
import { type ListenAddress, showAddress } from '../../src/model/values/listen-address.ts';
import { connectXds } from '../support/clients/xds-client.ts';
import { freeAddress, startMesh } from '../support/mesh.ts';
import { idcYaml, idcYamlOf } from '../support/objects-yaml.ts';
import { runCli } from '../support/planes/run-cli.ts';
import { startServe } from '../support/planes/served.ts';

const dir = mkdtempSync(join(tmpdir(), 'isthmus-check-'));
t.teardown(() => rmSync(dir, { recursive: true }));
const tokenFile = join(dir, 'token');
writeFileSync(tokenFile, 'a token of tests', { mode: 0o600 });

/** `isthmus check --file` for a configuration with these addresses. */
async function checkFile(
  { xds, admin, idc = 'sh-a' }: { xds: ListenAddress; admin: ListenAddress; idc?: string },
  more = '',
): Promise<{ code: number; lines: readonly CheckLine[] }> {
  const file = join(dir, 'isthmus.yaml');
  const lines = [
    'apiVersion: isthmus.dev/v1alpha1',
    'kind: ControlPlaneConfig',
    `idc: ${idc}`,
    `registry: {folder: ${dir}}`,
    `xds: {listen: ${showAddress(xds)}}`,
    `admin: {listen: ${showAddress(admin)}, tokenFile: ${tokenFile}}`,
    more,
  ];
  writeFileSync(file, lines.join('\n'));
  const { code, out, err } = await runCli('check', '--file', file, '-o', 'json');
  t.equal(err, '');
  return { code, lines: JSON.parse(out) };
}

const portsOf = (lines: readonly CheckLine[]) => lines.filter(({ topic }) => topic === 'ports');
const failed = (lines: readonly CheckLine[]) => lines.filter(({ result }) => result === 'fail');

t.test('before the first start: addresses are free, files can be used', async (t) => {
  const [xds, admin] = [await freeAddress(), await freeAddress()];
  const state = join(dir, 'state', 'deep');
  const { code, lines } = await checkFile({ xds, admin }, `state: {folder: ${state}}`);
  t.equal(code, 0);
  t.match(portsOf(lines), [
    { what: `${showAddress(xds)}, xds.listen`, result: 'ok', found: 'free' },
    { what: `${showAddress(admin)}, admin.listen`, result: 'ok', found: 'free' },
  ]);
  t.match(
    lines.find(({ what }) => what.startsWith(state)),
    { result: 'ok', found: `will be created; ${dir} is writable` },
  );
  t.notOk(
    lines.some(({ topic }) => topic === 'addresses'),
    'nobody is asked',
  );
});

t.test('an address is used, by a process that is named', async (t) => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  t.teardown(() => other.close());
  const xds = { address: '127.0.0.1', port: (other.address() as { port: number }).port };
  t.match(portOwner(xds), { pid: process.pid });
  const anywhere = { address: '0.0.0.0', port: xds.port };
  t.match(portOwner(anywhere), { pid: process.pid }, 'it clashes with all addresses');
  t.equal(portOwner({ address: '127.0.0.2', port: xds.port }), undefined, 'another address is free');
  t.equal(portOwner(await freeAddress()), undefined);
  const { code, lines } = await checkFile({ xds, admin: await freeAddress() });
  t.equal(code, 1);
  t.match(failed(lines), [
    { what: `${showAddress(xds)}, xds.listen`, found: new RegExp(`^used by process ${process.pid} \\(`) },
  ]);
  const away = await checkFile({ xds: { address: '192.0.2.7', port: 1 }, admin: await freeAddress() });
  t.match(failed(away.lines), [{ found: /this machine has no such address/ }]);
});

t.test('the addresses are used by the control plane itself, or by that of another IDC', async (t) => {
  const served = await startServe();
  t.teardown(() => served.close());
  await served.ready();
  const own = await checkFile(served);
  t.equal(own.code, 0);
  const words = `used by the control plane of sh-a that runs: process ${served.pid} (`;
  t.ok(portsOf(own.lines).every(({ result, found }) => result === 'ok' && found.startsWith(words)));
  const other = await checkFile({ ...served, idc: 'sh-b' });
  t.equal(other.code, 1);
  t.match(failed(other.lines), [{ found: /^used by process/ }, { found: /^used by process/ }]);
});

t.test('what a configuration needs and this machine lacks', async (t) => {
  const [xds, admin] = [await freeAddress(), await freeAddress()];
  chmodSync(tokenFile, 0o640);
  const group = await checkFile({ xds, admin });
  t.notOk(
    group.lines.some(({ result }) => result !== 'ok'),
    'a group may read it',
  );
  chmodSync(tokenFile, 0o644);
  const open = await checkFile({ xds, admin });
  chmodSync(tokenFile, 0o600);
  t.equal(open.code, 0);
  t.match(
    open.lines.filter(({ result }) => result === 'warn'),
    [{ what: `${tokenFile}, token`, found: /mode 0644/ }],
  );
  const bad = await checkFile({ xds, admin }, 'nonsense: 1\nlog: {level: loud}');
  t.equal(bad.code, 1);
  t.match(failed(bad.lines), [{ found: /nonsense/ }, { found: /log\.level/ }]);
  t.strictSame(portsOf(bad.lines), [], 'what cannot be read is not tried');
  const none = await runCli('check', '--file', join(dir, 'none.yaml'));
  t.equal(none.code, 2);
  t.match(none.err, /cannot be read/);
});

/** A control plane in this process with an admin address. */
async function startPlane(yaml: string, clock: Clock = systemClock) {
  const mesh = await startMesh('sh-a', { 'idc.yaml': yaml }, { clock });
  const admin = await serveAdmin(mesh.plane, { address: '127.0.0.1', port: 0 }, undefined);
  t.teardown(async () => {
    await admin.close();
    await mesh.close();
  });
  return { mesh, where: { address: '127.0.0.1', port: admin.port } };
}

/** The system's clock, but for its wall time. */
const ahead = (ms: number): Clock => ({ ...systemClock, wall: () => systemClock.wall() + ms });

t.test('clocks: of each control plane, and among each other', async (t) => {
  const planes = [
    await startPlane(idcYaml),
    await startPlane(idcYaml, ahead(3_000)),
    await startPlane(idcYaml, ahead(-60_000)),
  ] as const;
  const [one, close, behind] = await Promise.all(planes.map(({ where }) => askPlane(where)));
  t.match(checkClocks([one, close] as never), [
    { result: 'ok' },
    { result: 'ok', found: /^(?:2|3)(?:\.\d)? s \(± .*\) ahead of this machine's$/ },
    { result: 'ok', found: /is (?:2|3)(?:\.\d)? s \(± .*\) ahead of/ },
  ]);
  t.match(checkClocks([one, behind] as never), [
    { result: 'ok' },
    { result: 'warn', found: /^(?:59|6\d) s \(± .*\) behind this machine's$/ },
    { result: 'fail', found: /is (?:59|6\d) s \(± .*\) ahead of/, todo: /NTP/ },
  ]);
  const admins = planes.map(({ where }) => showAddress(where)).join(',');
  const { code, out } = await runCli('check', '--admin', admins);
  t.equal(code, 1);
  t.match(out, /^ {2}fail {6}clocks of control planes, among each other: .* is 6\d s/m);
});

t.test('versions that do not fit', async (t) => {
  const { mesh, where } = await startPlane(idcYaml);
  for (const [id, minor] of [
    ['old-1', 35],
    ['before-1', 39],
    ['fits-1', 40],
  ] as const) {
    const client = connectXds(showAddress(mesh.plane.xds), 'delta', {
      id,
      user_agent_name: 'envoy',
      user_agent_build_version: { version: { major_number: 1, minor_number: minor, patch: 0 } },
      metadata: { isthmus: { role: 'sidecar', idc: 'sh-a', namespace: 'default' } },
    });
    t.teardown(() => client.close());
    client.send('CDS');
    await client.next();
  }
  t.match(
    checkVersions([await askPlane(where)]).filter(({ result }) => result !== 'ok'),
    [
      { result: 'fail', found: /^1 proxy runs Envoy 1\.35 \(old-1\): too old/ },
      { result: 'warn', found: /^1 proxy runs Envoy 1\.39 \(before-1\)/ },
    ],
  );
});

t.test('that control planes differ is told once', async (t) => {
  const { where } = await startPlane(idcYaml);
  const one = await askPlane(where);
  const lines = (...versions: string[]) =>
    checkVersions(versions.map((version) => ({ ...one, version })))
      .filter(({ what }) => what === 'control planes' || what === 'versions')
      .map(({ result, found }) => `${result} ${found}`);
  t.strictSame(lines(packageVersion, packageVersion), [`ok isthmus ${packageVersion}`]);
  t.match(lines(packageVersion, '0.3.0'), [
    /^warn the control planes run different versions: .* runs 0\.3\.0$/,
  ]);
});

t.test('registries that disagree, and addresses of other machines', async (t) => {
  const other = await freeAddress();
  const planes = [
    await startPlane(idcYaml),
    await startPlane(idcYamlOf('sh-a', { edge: other, peer: { port: 2 } })),
  ];
  const told = await Promise.all(
    planes.map(async ({ where }) => ({ admin: showAddress(where), reply: await askPlane(where) })),
  );
  const differing = (lines: readonly { found: string }[]) =>
    lines.filter(({ found }) => /declare different gateways/.test(found)).length;
  t.equal(differing(await checkAddresses({ told, unknown: [] })), 1);
  t.equal(differing(await checkAddresses({ told: told.slice(0, 1), unknown: [] })), 0);
  const far = told.map((one) => ({
    ...one,
    reply: { ...one.reply, where: { address: '192.0.2.1', port: 1 } },
  }));
  const seen = await checkAddresses({ told: far.slice(0, 1), unknown: ['sh-c'] });
  t.ok(
    seen.filter(({ what }) => what.includes('gress')).every(({ result }) => result === 'not seen'),
    'loopback is that of the other machine',
  );
  t.match(seen.find(({ what }) => what === 'control planes of sh-c')?.todo, /controlPlanes/);
});
