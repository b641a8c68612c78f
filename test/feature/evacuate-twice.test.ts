import t, { type Test } from 'tap';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { get, type Mesh, until } from '../support/mesh.ts';
import { startLiveWorld } from '../support/planes/live.ts';

// `isthmus evacuate` that dies, that is run twice at once for one IDC, and for both IDCs of a Group.

const alive = setInterval(() => {}, 1_000);
const world = await startLiveWorld();
t.teardown(async () => {
  await world.close();
  clearInterval(alive);
});
const { shares } = world;

const begin = (idc: string, ...args: readonly string[]) => world.isthmus(['evacuate', idc, ...args]);

async function run(t: Test, idc: string, ...args: readonly string[]) {
  const { ended, said } = begin(idc, ...args);
  const code = await ended;
  t.comment(`${idc} ${args.join(' ')} → ${code}\n${said()}`);
  return { code, said: said() };
}

/** One that waits for its second step. */
async function halfway(...args: readonly string[]) {
  const one = begin('sh-a', '--steps', '50,100', '--step-wait', '60s', ...args);
  await until('the first step', () => /50 %: every proxy/.test(one.said()));
  t.strictSame(shares(), [50, 50]);
  return one;
}

t.test('killed between two steps it stays, and another takes it over or ends it', async (t) => {
  for (const isUndone of [false, true]) {
    const { child, ended } = await halfway('--for', '5m');
    child.kill('SIGKILL');
    await ended;
    t.strictSame(shares(), [50, 50], 'it stays');
    if (!isUndone) {
      const next = await run(t, 'sh-a', '--steps', '60,100', '--step-wait', '1s', '--for', '5m');
      t.equal(next.code, 0);
      t.match(next.said, /evacuation sh-a exists: 50 % leave sh-a, for (4|5) min more; this takes it over/);
      t.strictSame(shares(), [100, 100]);
      t.strictSame(await world.where(), { 'sh-b': 40 });
    }
    t.equal((await run(t, 'sh-a', '--undo')).code, 0);
    t.strictSame(shares(), [0, 0]);
    t.strictSame(await world.where(), { 'sh-a': 40 });
  }
});

t.test('killed and left alone, it ends by its time', async () => {
  const { child, ended } = await halfway('--step-wait', '3s', '--for', '5s');
  child.kill('SIGKILL');
  await ended;
  await until('it is over', () => shares().every((share) => share === 0), 20_000);
  await until('all are home', async () => (await world.where())['sh-a'] === 40);
});

t.test('a second one for the same IDC takes it over, and the first leaves it alone', async (t) => {
  const first = await halfway('--for', '5m');
  t.equal((await run(t, 'sh-a', '--percent', '20', '--for', '5m')).code, 0);
  t.equal(await first.ended, 1);
  t.match(
    first.said(),
    /somebody else has changed evacuation sh-a: 20 % leave, and not 50; it stays as changed/,
  );
  t.strictSame(shares(), [20, 20], 'it neither goes on to 100 % nor brings everybody home');
  t.equal((await run(t, 'sh-a', '--undo')).code, 0);
});

t.test('the two IDCs of a Group are never evacuated together', async (t) => {
  for (let round = 0; round < 4; round += 1) {
    const both = (['sh-a', 'sh-b'] as const).map((idc) => begin(idc, '--for', '5m'));
    const failed: string[] = [];
    let goes = true;
    const asking = (async () => {
      while (goes)
        for (const place of Object.keys(await world.where(5))) if (/^\d/.test(place)) failed.push(place);
    })();
    const codes = await Promise.all(both.map(({ ended }) => ended));
    goes = false;
    await asking;
    t.comment(codes.join(), ...both.map(({ said }) => `\n${said()}`));
    const items = world.standing();
    t.ok(codes.includes(1), 'one of them is refused');
    for (const [i, idc] of (['sh-a', 'sh-b'] as const).entries())
      t.strictSame(items.includes(idc), codes[i] === 0, `${idc} leaves where its command says so`);
    t.strictSame(failed, []);
    const served = Object.keys(await world.where());
    t.strictSame(served, [items[0] === 'sh-a' ? 'sh-b' : 'sh-a']);
    for (const idc of ['sh-a', 'sh-b']) t.equal((await run(t, idc, '--undo')).code, 0);
  }
});

t.test('clients at the edge are sent elsewhere if every Group can be served there', async (t) => {
  const edge = world.idcs.gateways.get('sh-a')?.edge as ListenAddress;
  const ready = async () => (await get(edge, '/.isthmus/ready')).status;
  t.equal(await ready(), 200);
  t.equal((await run(t, 'sh-a', '--for', '5m')).code, 0);
  await until('its clients go elsewhere', async () => (await ready()) === 503);
  const home = world.idcs.meshes.get('sh-a') as Mesh;
  const at = await home.app((_, response) => void response.end('lone'));
  home.save(
    'lone.yaml',
    `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: lone, namespace: test}
spec:
  hosts: [lone.test]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: main, protocol: HTTP}]
  endpoints: [{address: ${at.address}, ports: {main: ${at.port}}, locality: sh-a}]
`,
  );
  await until('one Group is served here alone', async () => (await ready()) === 200);
  t.match(await get(edge, '/', { host: 'lone.test' }), { status: 200, body: 'lone' });
  home.save('lone.yaml', '');
  await until('it is gone', async () => (await ready()) === 503);
  t.equal((await run(t, 'sh-a', '--undo')).code, 0);
  await until('they are to come', async () => (await ready()) === 200);
});
