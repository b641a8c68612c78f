import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { checkFolder } from '../../src/registry/check/check-inputs.ts';
import { idc, toYaml } from '../registry/objects.ts';

/** An Idc with a trust domain; undefined: without. */
function idcOf(name: string, trustDomain: string | undefined) {
  const object = idc(name);
  const spec = object.spec as object;
  return { ...object, spec: trustDomain === undefined ? spec : { ...spec, trustDomain } };
}

/** What `isthmus validate` says of Idcs with these trust domains. */
async function told(t: Test, a: string | undefined, b: string | undefined): Promise<string[]> {
  const dir = t.testdir();
  writeFileSync(join(dir, 'mesh.yaml'), toYaml(idcOf('sh-a', a), idcOf('sh-b', b)));
  const { problems } = await checkFolder(dir);
  return problems.map(({ code, ref, path, message }) => `${code} ${ref?.name}: ${path}: ${message}`);
}

t.test('each IDC has a trust domain of its own', async (t) => {
  t.match(await told(t, 'one.example', 'one.example'), [
    /^SharedTrustDomain sh-b: spec\.trustDomain: one\.example is the trust domain of Idc sh-a too/,
  ]);
  t.same(await told(t, 'a.example', 'b.example'), [], 'the control: each its own');
  t.same(await told(t, undefined, undefined), [], 'the control: none');
});

t.test('a trust domain that is no name is refused', async (t) => {
  for (const name of ['SH-A', 'a_b', 'a/b', '', 'spiffe://a'])
    t.match(
      (await told(t, name, undefined))[0],
      /^InvalidField sh-a: spec\.trustDomain: must be a name/,
      name,
    );
});
