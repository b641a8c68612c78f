import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { checkFolder } from '../../src/registry/check/check-inputs.ts';
import { idc, type RawObject, service, toYaml, workload } from '../registry/objects.ts';

/** What `isthmus validate` says of shared addresses. */
async function told(t: Test, ...objects: RawObject[]): Promise<string[]> {
  const dir = t.testdir();
  writeFileSync(join(dir, 'mesh.yaml'), toYaml(...objects));
  const { problems } = await checkFolder(dir);
  return problems
    .filter(({ code }) => code === 'SharedAddress')
    .map(({ ref, path, message }) => `${ref?.name}: ${path}: ${message}`);
}

const idcAt = (name: string, ingress: object, egress: object): RawObject => ({
  ...idc(name),
  spec: { ingress: [ingress], egress: [egress] },
});
const egress = { address: '10.0.0.2', sidecarPort: 3, ingressPort: 4 };

t.test('an Idc copied under another name is told once', async (t) => {
  t.match(await told(t, idc('sh-a'), { ...idc('sh-a'), metadata: { name: 'sh-b' } }), [
    /^sh-b: spec\.ingress\[0\]\.peerPort: 127\.70\.0\.1:15443 is spec\.ingress\[0\]\.peerPort of Idc sh-a too/,
  ]);
  t.same(await told(t, idc('sh-a'), idc('sh-b')), [], 'the control: each has its own');
});

t.test('a gateway of each kind at one address', async (t) => {
  const ingress = { address: '10.0.0.2', edgePort: 3, peerPort: 9 };
  t.match(await told(t, idcAt('sh-a', ingress, egress)), [
    /^sh-a: spec\.egress\[0\]\.sidecarPort: 10\.0\.0\.2:3 is spec\.ingress\[0\]\.edgePort too/,
  ]);
  t.same(await told(t, idcAt('sh-a', { ...ingress, edgePort: 8 }, egress)), [], 'at other ports');
});

t.test('what only an IDC itself connects to may have the same private address in each', async (t) => {
  const of = (name: string, peer: string) =>
    idcAt(name, { address: peer, edgePort: 8080, peerPort: 15443 }, egress);
  t.same(await told(t, of('sh-a', '192.0.2.1'), of('sh-b', '192.0.2.2')), []);
  const crossed = idcAt('sh-b', { address: '10.0.0.2', edgePort: 8080, peerPort: 3 }, egress);
  t.match(await told(t, of('sh-a', '192.0.2.1'), crossed), [
    /^sh-b: spec\.ingress\[0\]\.peerPort: 10\.0\.0\.2:3 is spec\.egress\[0\]\.sidecarPort of Idc sh-a too/,
  ]);
});

t.test('two instances of a host at one address are told once', async (t) => {
  const at = (name: string, more: object = {}) => workload(name, { address: '10.1.0.7', ...more });
  const world = [idc('sh-a'), idc('sh-b'), service('s', 'a.example'), service('t', 'b.example')];
  t.match(await told(t, ...world, at('w1'), at('w2'), workload('w3')), [
    /^w2: spec\.address: 10\.1\.0\.7 is the address of shop\/w1 \(.*mesh\.yaml:\d+\) too, at the same port: it gets/,
  ]);
  t.same(await told(t, ...world, at('w1'), at('w2', { ports: { http: 81 } })), [], 'at another port');
  t.same(await told(t, ...world, at('w1'), at('w2', { locality: 'sh-b/z' })), [], 'in another IDC');
  t.same(await told(t, ...world, at('w1'), at('w2', { labels: { app: 'x' } })), [], 'of another host');
});
