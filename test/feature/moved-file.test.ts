import t, { type Test } from 'tap';
import type { SidecarScope } from '../../src/model/node.ts';
import { freeAddress, get, type Mesh, startMesh, until } from '../support/mesh.ts';
import { idcYaml, oneYaml } from '../support/objects-yaml.ts';

const hourMs = 3_600_000;

/** A sidecar, and a host `one.test` whose file can be moved away. */
async function start(t: Test, deletionGraceMs: number) {
  const mesh: Mesh = await startMesh('sh-a', { 'idc.yaml': idcYaml }, { deletionGraceMs });
  t.teardown(() => mesh.close());
  const one = oneYaml(await mesh.app((_request, response) => response.end('served')), 'sh-a');
  mesh.save('one.yaml', one);
  const outbound = await freeAddress();
  const scope: SidecarScope = { role: 'sidecar', idc: 'sh-a', namespace: 'test', outbound };
  await mesh.envoy('caller', scope);
  const status = async (host: string) => (await get(outbound, '/', { host })).status;
  await until('it serves', async () => (await status('one.test')) === 200);
  const delayed = () => mesh.plane.problems().find(({ code }) => code === 'DeletionDelayed');
  return { mesh, one, status, delayed };
}

t.test('a host whose file is moved away is served on, and told of, until it is meant', async (t) => {
  const { mesh, one, status, delayed } = await start(t, hourMs);
  mesh.remove('one.yaml');
  await until('it is told', () => delayed() !== undefined);
  t.match(delayed()?.message, /ServiceEntry test\/one \(host one\.test\).*stays in force for 60 min/);
  // What is pushed after it has arrived: nothing that was pushed before is still on its way.
  mesh.save('two.yaml', one.replaceAll('one', 'two'));
  await until('a later change is there', async () => (await status('two.test')) === 200);
  t.equal(await status('one.test'), 200);
  mesh.save('back.yaml', one);
  await until('it is over', () => delayed() === undefined);
  mesh.remove('back.yaml');
  await until('it is told again', () => delayed() !== undefined);
  t.equal(mesh.plane.confirmDeletes(), 1);
  await until('it is gone', async () => (await status('one.test')) === 404);
});

t.test('negative control: without a delay it is a 404 as soon as its file is gone', async (t) => {
  const { mesh, status, delayed } = await start(t, 0);
  mesh.remove('one.yaml');
  await until('it is gone', async () => (await status('one.test')) === 404);
  t.equal(delayed(), undefined);
});
