import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { checkFolder } from '../../src/registry/check/check-inputs.ts';
import { idc, toYaml } from '../registry/objects.ts';
import { createTestTrust } from '../support/trust.ts';

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

t.test('an IDC that requires TLS knows all others, or it is told', async (t) => {
  const trust = createTestTrust();
  t.teardown(() => trust.close());
  const roots = (await trust.root()).certificate;
  const of = (name: string, mode?: string) => {
    const object = idc(name);
    const more = mode === undefined ? {} : { trustDomain: `${name}.example`, peerTls: { mode, roots } };
    return { ...object, spec: { ...object.spec, ...more } };
  };
  const toldOf = async (...objects: readonly object[]) => {
    const dir = t.testdir();
    writeFileSync(join(dir, 'mesh.yaml'), toYaml(...objects));
    const { problems } = await checkFolder(dir);
    return problems.map(({ code, ref, path, message }) => `${code} ${ref?.name}: ${path}: ${message}`);
  };
  t.match(await toldOf(of('sh-a'), of('sh-b', 'require')), [
    /^PeerNotKnown sh-a: spec\.peerTls: is not there, and sh-b must be entered by TLS/,
  ]);
  t.same(await toldOf(of('sh-a', 'off'), of('sh-b', 'require')), []);
  t.same(await toldOf(of('sh-a'), of('sh-b', 'use')), []);
  const bad = { ...of('sh-a', 'use'), spec: { ...of('sh-a', 'use').spec, peerTls: { roots: 'no PEM' } } };
  t.match(await toldOf(bad), [
    /^InvalidField sh-a: spec\.peerTls\.roots: has no certificate: give roots in PEM/,
  ]);
  const { trustDomain: _, ...without } = of('sh-a', 'use').spec as Record<string, unknown>;
  t.match(await toldOf({ ...of('sh-a'), spec: without }), [
    /^InvalidField sh-a: spec\.peerTls: needs spec\.trustDomain/,
  ]);
  const alone = { ...of('sh-a').spec, egressTls: 'use' };
  t.match(await toldOf({ ...of('sh-a'), spec: alone }), [
    /^InvalidField sh-a: spec\.egressTls: needs spec\.peerTls\.roots/,
  ]);
  t.same(await toldOf({ ...of('sh-a', 'off'), spec: { ...of('sh-a', 'off').spec, egressTls: 'use' } }), []);
  const leaf = await trust.leaf(await trust.root(), 'spiffe://sh-a.example/idc/sh-a/egress/e-1');
  const withLeaf = { ...of('sh-a', 'use').spec, peerTls: { roots: leaf.certificate } };
  t.match(await toldOf({ ...of('sh-a'), spec: withLeaf }), [
    /peerTls\.roots: has a certificate that is no authority/,
  ]);
});
