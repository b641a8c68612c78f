import { renameSync } from 'node:fs';
import { dirname } from 'node:path';
import t from 'tap';
import { serveAdmin } from '../../src/api/admin-server.ts';
import { disconnectedOf, disconnectedText } from '../../src/cli/wait/disconnected.ts';
import { askState, reasonsAgainst } from '../../src/cli/wait/reasons-against.ts';
import { isAgainstSynced } from '../../src/cli/wait/unfulfilled.ts';
import { findingCodes } from '../../src/model/finding-codes.ts';
import { connectXds } from '../support/clients/xds-client.ts';
import { startMesh, until } from '../support/mesh.ts';
import { idcYaml, idcYamlOf, oneYaml } from '../support/objects-yaml.ts';
import { runCli } from '../support/planes/run-cli.ts';

// `isthmus wait` where what the files say is not what proxies get.
const graceMs = 5_000;
const one = oneYaml({ address: '127.0.0.1', port: 1 }, 'sh-a');
const mesh = await startMesh(
  'sh-a',
  { 'idc.yaml': idcYaml, 'other.yaml': idcYamlOf('sh-b'), 'one.yaml': one },
  { deletionGraceMs: graceMs },
);
const admin = await serveAdmin(mesh.plane, { address: '127.0.0.1', port: 0 }, undefined);
t.teardown(async () => {
  await admin.close();
  await mesh.close();
});
const at = `127.0.0.1:${admin.port}`;
const wait = (...args: string[]) => runCli('wait', '--admin', at, ...args);
const codes = () => mesh.plane.problems().map(({ code }) => code as string);
// Compiling filters takes long on a machine that is busy.
await until('it is ready', () => mesh.plane.readiness().ready, 240_000);

const group = (capacity: string) => `apiVersion: isthmus.dev/v1alpha1
kind: DrGroup
metadata: {name: one}
spec:
  hosts: [one.test]
  idcs: [{name: sh-a}, {name: sh-b}]
  capacity: {concurrentPerInstance: ${capacity}}
`;

t.test('a proxy that was connected is told, and not waited for', async (t) => {
  const scope = {
    ...{ role: 'sidecar', idc: 'sh-a', namespace: 'test' },
    outbound: { address: '127.0.0.1', port: 1 },
  } as const;
  const proxy = connectXds(`127.0.0.1:${mesh.plane.xds.port}`, 'delta', {
    id: 'caller',
    metadata: { isthmus: scope },
  });
  proxy.send('CDS', { resource_names_subscribe: ['*'] });
  proxy.ack(await proxy.next());
  const whole = await wait('--settle', '0s', '-o', 'json');
  t.match(JSON.parse(whole.out), { isMet: true, disconnected: [] });
  t.notMatch(whole.err, 'disconnected');
  proxy.close();
  await until('it is gone', () => mesh.plane.status().gone.length === 1);
  const { code, out, err } = await wait('--settle', '0s', '-o', 'json');
  t.equal(code, 0, 'it cannot be waited for');
  t.match(
    err,
    /synced after .*\n1 disconnected within the last hour: caller of sh-a \(.* ago\); what it has is not known\n$/,
  );
  t.match(JSON.parse(out), {
    isMet: true,
    disconnected: [{ id: 'caller', idc: 'sh-a', goneForMs: Number }],
  });
  t.match(await wait('--settle', '0s', '--quiet'), { code: 0, err: '' });
});

t.test('one that is connected to another control plane is not gone', (t) => {
  const plane = (ids: readonly string[], gone: Readonly<Record<string, number>>) => {
    const proxies = ids.map((id) => ({ id, idc: 'sh-a' }));
    const left = Object.entries(gone).map(([id, goneForMs]) => ({ id, idc: 'sh-a', goneForMs }));
    return { status: { proxies, gone: left } } as unknown as Parameters<typeof disconnectedOf>[0][number];
  };
  t.strictSame(disconnectedOf([plane([], { a: 5 }), plane(['a'], {})]), []);
  const several = disconnectedOf([plane([], { a: 500, b: 300 }), plane([], { a: 100 })]);
  t.strictSame(
    several.map(({ id, goneForMs }) => [id, goneForMs]),
    [
      ['a', 100],
      ['b', 300],
    ],
    'the shortest time counts',
  );
  const many = disconnectedOf([
    plane([], Object.fromEntries([...'abcdefg'].map((id, i) => [id, i * 1_000]))),
  ]);
  t.match(
    disconnectedText(many),
    /^7 disconnected .*: a of sh-a .* e of sh-a \(4 s ago\) and 2 more; what they/,
  );
  t.equal(disconnectedText([]), '');
  t.end();
});

t.test('a changed object that is refused is not in sync', async (t) => {
  mesh.save('group.yaml', group('50'));
  t.match(await wait(), { code: 0, err: /synced after / });
  mesh.save('group.yaml', group('fifty'));
  const { code, err } = await wait('--timeout', '2s');
  t.equal(code, 1);
  t.match(err, new RegExp(`^not synced: sh-a at ${at}: .*group\\.yaml:7:.*InvalidField\\]$`, 'm'));
  t.match(err, /^not synced within 2 s .*:\n {2}sh-a at .*group\.yaml:7:\d+: spec\.capacity/m, 'where it is');
  t.match(await wait('--for', 'ready', '--settle', '0s'), { code: 0 }, 'it is ready all the same');
  const state = await askState(1, { address: '127.0.0.1', port: admin.port });
  const pushed = { ...state, status: { ...state.status, revision: 1 } };
  t.strictSame(reasonsAgainst(1, at, pushed), [], 'a revision is what was pushed');
  const shown = await wait('--timeout', '0s', '-o', 'json');
  t.match(JSON.parse(shown.out), { isMet: false, reasons: [/InvalidField/] });
  mesh.save('group.yaml', group('60'));
  t.match(await wait(), { code: 0 }, 'mended');
});

t.test('a deletion that is delayed is waited for', async (t) => {
  mesh.remove('group.yaml');
  mesh.remove('one.yaml');
  await until('it is delayed', () => codes().includes('DeletionDelayed'));
  t.match(await wait('--timeout', '0s'), { code: 1, err: /ServiceEntry test\/one .*\[DeletionDelayed\]/ });
  t.match(await wait(), { code: 0, err: /\[DeletionDelayed\]\n[\s\S]*synced after / });
  t.notOk(codes().includes('DeletionDelayed'), 'and it is done');
});

t.test('what cannot be read is not in sync', async (t) => {
  mesh.save('broken.yaml', 'kind: [\n');
  t.match(await wait('--timeout', '2s'), { code: 1, err: /broken\.yaml:\d+:\d+: .*\[NotYaml\]/ });
  const where = mesh.plane.problems().find(({ code }) => code === 'NotYaml')?.where ?? '';
  mesh.remove('broken.yaml');
  t.match(await wait(), { code: 0 }, 'mended');
  const folder = dirname(where);
  renameSync(folder, `${folder}.away`);
  t.teardown(() => renameSync(`${folder}.away`, folder));
  await until('it is noticed', () => codes().includes('FolderUnreadable'), 30_000);
  t.match(await wait('--timeout', '0s'), {
    code: 1,
    err: /the folder cannot be read: .*\[FolderUnreadable\]/,
  });
});

t.test('what is against it: errors of objects and sources, and what is held back', (t) => {
  const against = (severity: 'error' | 'warning') =>
    Object.keys(findingCodes).filter((code) => isAgainstSynced({ code, severity }));
  t.strictSame(against('warning'), ['ObjectsKept', 'DeletionDelayed']);
  const errors = against('error');
  for (const code of [
    'DeletionsHeld',
    'FileUnreadable',
    'SourceNotCurrent',
    'UnknownIdc',
    'ResourceNotEncoded',
  ])
    t.ok(errors.includes(code), code);
  t.notOk(errors.includes('SnapshotRefused') || errors.includes('LoopPreventionOff'));
  t.end();
});
