import { join } from 'node:path';
import t from 'tap';
import { until } from '../support/mesh.ts';
import { createPlanes } from '../support/planes/planes.ts';

const dir = t.testdir();
const { planes, close } = await createPlanes(2, { files: {} });
t.teardown(close);
const [one, two] = planes;
type Plane = typeof one;
const stateOf = (plane: Plane) => ['--state', join(dir, plane === one ? 'one' : 'two')];
const start = (plane: Plane) => plane.start(stateOf(plane));
const spec = (percent: number, ms = 3_600_000) => ({
  ...{ idc: 'sh-a', percent, expires: new Date(Date.now() + ms).toISOString() },
});
const put = (plane: Plane, body: object) => plane.api('PUT', '/../evacuations/e', body);

interface Listed {
  readonly items: readonly { readonly name: string; readonly percentNow: number }[];
}

/** The share that leaves by a control plane; undefined: it knows none. */
async function shareAt(plane: Plane): Promise<number | undefined> {
  const { items } = JSON.parse(await plane.page('/v1/evacuations')) as Listed;
  return items.find(({ name }) => name === 'e')?.percentNow;
}

const agree = (share: number | undefined) =>
  until(`both say ${share}`, async () => (await shareAt(one)) === share && (await shareAt(two)) === share);

t.test('both control planes follow a request to one of them, across the death of either', async (t) => {
  start(one);
  start(two);
  await Promise.all([one.ready(), two.ready()]);
  t.equal((await put(one, spec(30))).status, 200);
  await agree(30);

  await two.kill('SIGKILL');
  t.equal((await put(one, spec(60))).status, 200);
  start(two);
  await two.ready();
  t.equal(await shareAt(two), 60, 'once it is ready it has what it missed');

  await one.kill('SIGKILL');
  t.equal((await two.api('DELETE', '/../evacuations/e')).status, 200);
  start(one);
  await one.ready();
  t.equal(await shareAt(one), undefined, 'and what was ended does not come back');
  t.strictSame((await put(one, spec(10))).body.own, 'sh-a');
  await agree(10);
});

t.test('both keep it while they are down, and end it by their own clocks', async () => {
  await put(two, spec(20, 30_000));
  await agree(20);
  await Promise.all([one.kill('SIGKILL'), two.kill('SIGKILL')]);
  start(one);
  start(two);
  await Promise.all([one.ready(), two.ready()]);
  await agree(20);
  await agree(0);
});

t.test('a lease by the control plane’s own clock', async (t) => {
  const { expires: _, ...endless } = spec(40);
  const ask = (method: string, path: string, body?: object) =>
    one.api(method, `/../evacuations/e${path}`, body);
  t.match(await ask('PUT', '?only=standing&for=30s', endless), { status: 404, body: { error: 'not-found' } });
  t.match(await ask('POST', '/renew?for=30s'), { status: 404, body: { message: /e is not in force/ } });
  t.match(await ask('PUT', '?for=3s', endless), { status: 200, body: { own: 'sh-a' } });
  await agree(40);
  const endsIn = async () => {
    const { items } = JSON.parse(await two.page('/v1/evacuations')) as { items: { endsInMs: number }[] };
    return items[0]?.endsInMs ?? 0;
  };
  t.ok((await endsIn()) <= 3_000);
  t.match(await ask('POST', '/renew?for=60s&wait=acked'), { status: 200, body: { acked: true } });
  await until('the other has heard of it', async () => (await endsIn()) > 30_000);
  t.match(await ask('PUT', '?only=standing&for=60s', { ...endless, percent: 50 }), { status: 200 });
  await agree(50);
  t.match(await ask('POST', '/renew?for=0s'), { status: 400, body: { message: /for=0s: give a duration/ } });
  t.match(await ask('POST', '/renew?for=80h'), { status: 400 });
  t.match(await ask('POST', '/renew'), { status: 400 });
  t.match(await ask('PUT', '?for=9s', spec(1)), { status: 400, body: { message: /one of the two/ } });
  t.match(await ask('PUT', '?only=new&for=9s', endless), { status: 400, body: { message: /only=standing/ } });
  t.match(await ask('POST', '/renew?for=1s'), { status: 200 });
  await agree(0);
  t.match(await ask('POST', '/renew?for=1s'), { status: 404 }, 'it is over');
});

t.test('unauthorized writes and invalid requests are refused', async (t) => {
  const past = await put(one, spec(20, -1_000));
  t.match(past, { status: 400, body: { message: /spec.expires has passed/ } });
  t.match(await put(one, spec(20, 80 * 3_600_000)), { status: 400, body: { message: /more than 72 hours/ } });
  t.match(await put(one, { ...spec(1), idc: 'sh-x' }), {
    status: 400,
    body: { message: /no Idc is named 'sh-x'/ },
  });
  t.match(await put(one, { ...spec(1), percent: 0, why: '' }), {
    status: 400,
    body: {
      message: /spec.percent/,
      faults: [
        { code: 'InvalidField', severity: 'error', path: 'percent' },
        { code: 'UnknownField', severity: 'error', path: 'why' },
      ],
    },
  });
  t.match(await one.api('POST', '/../evacuations/e'), { status: 405 });
  await one.kill('SIGTERM');
  one.start();
  await one.ready();
  t.match(await put(one, spec(1)), { status: 501, body: { message: /start isthmus serve with --state/ } });
});
