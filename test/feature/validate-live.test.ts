import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { showAddress } from '../../src/model/values/listen-address.ts';
import { drGroup, idc, service, toYaml, workload } from '../registry/objects.ts';
import { freeAddress } from '../support/mesh.ts';
import { runCli } from '../support/planes/run-cli.ts';
import { startServe } from '../support/planes/served.ts';

// `isthmus validate --live`, against a real control plane: what would be found if the files were added to
// its folder.

const served = await startServe({
  files: {
    'mesh.yaml': toYaml(
      idc('sh-b'),
      drGroup('shop', ['a.example'], 'sh-a', 'sh-b'),
      service('s', 'a.example'),
      workload('w-1'),
    ),
  },
});
t.teardown(() => served.close());
await served.ready();
const admin = showAddress(served.admin);
const dir = mkdtempSync(join(tmpdir(), 'isthmus-validate-live-'));
t.teardown(() => rmSync(dir, { recursive: true }));

/** Checks these objects as a file: with the control plane, and without. */
async function check(...objects: readonly object[]) {
  const file = join(dir, 'new.yaml');
  writeFileSync(file, toYaml(...objects));
  const shown = ({ code, out, err }: Awaited<ReturnType<typeof runCli>>) => ({
    ...{ code, err },
    lines: out
      .replaceAll(`${dir}/`, '')
      .replaceAll(/[^\s(]*\/(?=mesh\.yaml)/g, '')
      .trimEnd()
      .split('\n'),
  });
  const [live, alone] = [await runCli('validate', '--live', admin, file), await runCli('validate', file)];
  return { live: shown(live), alone: shown(alone) };
}

t.test('a host that another DrGroup has is told, with the file of the other', async (t) => {
  const { live, alone } = await check(drGroup('mine', ['a.example'], 'sh-a', 'sh-b'));
  t.strictSame(live, {
    ...{ code: 1, err: '' },
    lines: [
      'new.yaml:10:7: error: spec.hosts[0]: a.example belongs to DrGroup shop (mesh.yaml:26): take it out of one of the two. [DrGroupConflict]',
      '0 objects good, 1 error, 0 warnings',
      `beside 5 objects in force at ${admin}: 0 new, 0 changed, 0 as in force`,
    ],
  });
  t.notMatch(alone.lines.join('\n'), /DrGroupConflict/, 'without the control plane nobody knows');
  t.match(alone.lines.join('\n'), /no Idc is named 'sh-a'/);
});

t.test('what the control plane has need not be in the files', async (t) => {
  const { live, alone } = await check(workload('w-2'), workload('w-1'));
  t.strictSame(live, {
    ...{ code: 0, err: '' },
    lines: [
      '2 objects good (2 WorkloadEntry), 0 errors, 0 warnings',
      `beside 5 objects in force at ${admin}: 1 new, 0 changed, 1 as in force`,
    ],
  });
  t.match(alone.lines.join('\n'), /2 warnings/);
});

t.test('a new version takes the place of the old one, and a faulty one does not', async (t) => {
  const { live } = await check(drGroup('shop', ['a.example'], 'sh-b', 'sh-a'));
  t.match(live, { code: 0, lines: [/1 DrGroup/, /0 new, 1 changed, 0 as in force$/] });
  const faulty = await check(idc('sh-b').spec.ingress === undefined ? {} : { ...idc('sh-b'), spec: {} });
  t.equal(faulty.live.code, 1);
  t.notMatch(faulty.live.lines.join('\n'), /DrGroup|UnknownIdc/, 'the last good version stays');
});

t.test('an object of the control plane that loses by it is told', async (t) => {
  const two = await check(service('s', 'b.example'));
  t.strictSame(two.live, {
    ...{ code: 0, err: '' },
    lines: [
      "mesh.yaml:26: warning: spec.hosts[0]: no ServiceEntry declares a.example: correct it, or add the ServiceEntry. Did you mean 'b.example'? [UnknownHost]",
      '1 object good (1 ServiceEntry), 0 errors, 1 warning',
      `beside 5 objects in force at ${admin}: 0 new, 1 changed, 0 as in force`,
    ],
  });
  const body = { address: '10.1.0.9', ports: { http: 8080 }, labels: { app: 'checkout' }, locality: 'sh-a' };
  t.equal((await served.api('PUT', '/shop/w-9', body)).status, 201);
  const name = await check(workload('w-9'));
  t.equal(name.live.code, 1);
  t.match(
    name.live.lines[0],
    /: error: the source \S+ has an object of this name too, which applies \(new\.yaml:\d+\); .* \[OtherSourceCounts\]$/,
  );
});

t.test('in JSON what is replaced is counted', async (t) => {
  writeFileSync(join(dir, 'new.yaml'), toYaml(workload('w-1'), workload('w-3')));
  const { out } = await runCli('validate', '-o', 'json', '--live', admin, join(dir, 'new.yaml'));
  const { held, ...live } = JSON.parse(out).live;
  t.strictSame(live, { admin, added: 1, changed: 0, unchanged: 1 });
  t.ok(held >= 5);
});

t.test('a control plane that does not answer is no valid mesh', async (t) => {
  const nobody = showAddress(await freeAddress());
  const { code, out, err } = await runCli('validate', '--live', nobody, join(dir, 'new.yaml'));
  t.strictSame({ code, out }, { code: 2, out: '' });
  t.match(err, new RegExp(`^isthmus validate: the control plane at ${nobody} does not answer: .*\\n$`));
});
