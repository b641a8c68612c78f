import t, { type Test } from 'tap';
import { parseAllDocuments, stringify } from 'yaml';
import { evacuationOf } from '../../src/registry/evacuations/evacuation-record.ts';
import { type Mesh, until } from '../support/mesh.ts';
import { startLiveWorld } from '../support/planes/live.ts';

const alive = setInterval(() => {}, 1_000);
const world = await startLiveWorld();
t.teardown(async () => {
  await world.close();
  clearInterval(alive);
});
const { shares } = world;
const { meshes, registry } = world.idcs;
const home = meshes.get('sh-a') as Mesh;

/** `isthmus evacuate sh-a` with these options. */
async function evacuate(t: Test, ...args: string[]) {
  const { ended, said } = world.isthmus(['evacuate', 'sh-a', ...args]);
  const code = await ended;
  t.comment(`${args.join(' ')} → ${code}\n${said()}`);
  return { code, said: said() };
}

/** What `isthmus status` has as problems. */
const problems = () =>
  home.plane
    .status()
    .problems.map(({ where, message }) => `${where}: ${message}`)
    .join('\n');

/**
 * The registry with more of the DrGroups' spec, checks that a busy machine passes, and in sh-a with an
 * instance of each Group that is not there.
 */
function registryWith(idc: string, drGroup: object, isFuller: boolean): string {
  const documents = parseAllDocuments(registry.get(idc) as string).map((one) => one.toJS());
  for (const { kind, spec } of documents) {
    if (kind === 'DrGroup')
      Object.assign(spec, drGroup, { traffic: { health: { path: '/', interval: '4s' } } });
    // Nobody listens at port 1.
    if (kind === 'ServiceEntry' && isFuller)
      spec.endpoints.push({ address: '127.0.0.1', locality: 'sh-a', ports: { main: 1 } });
  }
  return documents.map((one) => stringify(one)).join('---\n');
}

/** What sh-a has of `web.test`, as its control plane sees it. */
const room = () =>
  home.plane.evacuations
    .effect(evacuationOf('any', { idc: 'sh-a', expires: '2100-01-01T00:00:00Z' }))
    .room.find(({ host }) => host === 'web.test');

/** Lets all leave while sh-a has two instances of each Group, and takes one away. */
async function leaveAndShrink(t: Test, more: object): Promise<void> {
  const capacity = { concurrentPerInstance: 10, idcs: { 'sh-b': { concurrentPerInstance: 40 } } };
  const save = (isFuller: boolean) => {
    for (const [idc, mesh] of meshes)
      mesh.save('all.yaml', registryWith(idc, { capacity, ...more }, isFuller));
  };
  save(true);
  await until('it is read', () => room()?.instances === 2);
  t.equal((await evacuate(t, '--for', '10m')).code, 0);
  save(false);
  await until('an instance is gone', () => room()?.instances === 1 && room()?.bears === 10);
}

t.test('requests beyond the capacity at home do not return at once', { timeout: 240_000 }, async (t) => {
  await leaveAndShrink(t, { failback: { ramp: '60s', hold: '1s' } });
  const refused = await evacuate(t, '--undo');
  t.equal(refused.code, 1);
  t.match(
    refused.said,
    /sh-a cannot take back the requests of .*web.test \(serves 10 of up to 20 requests at once/,
  );
  t.match(refused.said, /return what fits with --percent 50, or continue all the same with --force/);
  t.strictSame(shares(), [100, 100]);
  t.match(problems(), /web.test:80: its instances here serve 10 .* and 20 .* all of its traffic returns/);
  t.equal((await evacuate(t, '--percent', '40', '--for', '10m')).code, 1, 'less may not stay away');
  t.equal((await evacuate(t, '--percent', '50', '--for', '10m')).code, 0);
  t.strictSame(shares(), [50, 50]);
  t.equal((await evacuate(t, '--undo', '--force')).code, 0);
  t.strictSame(shares(), [0, 0]);
  t.match(problems(), /serve 10 .* and 20 .* its traffic returns all the same, step by step/);
});

t.test('the control: without a stored capacity it is', { timeout: 240_000 }, async (t) => {
  await leaveAndShrink(t, {});
  t.equal((await evacuate(t, '--undo')).code, 0);
  t.strictSame(shares(), [0, 0]);
});
