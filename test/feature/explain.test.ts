import t from 'tap';
import { serveAdmin } from '../../src/api/admin-server.ts';
import type { Explanation } from '../../src/contract/explain.ts';
import { type ListenAddress, showAddress } from '../../src/model/values/listen-address.ts';
import { startIdcs } from '../support/idcs.ts';
import { type Answer, freeAddress, get, type Mesh, until } from '../support/mesh.ts';
import { startInstance } from '../support/planes/evacuating.ts';
import { runCli } from '../support/planes/run-cli.ts';

// Which way a request goes, as it is explained, next to the way that a request really goes, while instances
// and gateways die one after another. What an assumption foretells is compared with what then happens.

/** An instance that answers its IDC, and may go and come back. */
async function instance(idc: string) {
  let address = '';
  const one = await startInstance(t, (_, response) => response.end(`${idc} ${address}`));
  address = showAddress(one.at);
  return { idc, ...one, address };
}

const [first, second, third, last] = [
  ...[await instance('sh-a'), await instance('sh-a')],
  ...[await instance('sh-b'), await instance('sh-c')],
] as const;
const world = await startIdcs({
  idcs: ['sh-a', 'sh-b', 'sh-c'],
  hopLimit: 2,
  groups: [{ name: 'one', instances: [first, second, third, last], health: '/' }],
  // Ingress gateways do not tell where they can be read.
  patchIngress: (bootstrap) => bootstrap.replace(/"clusters":\{[^{}]*\},?/, ''),
});
t.teardown(() => world.close());
const a = world.meshes.get('sh-a') as Mesh;
const admin = await freeAddress();
const server = await serveAdmin(a.plane, admin, undefined);
t.teardown(() => server.close());

const question = { from: 'sh-a/caller', path: '/', method: 'GET' };

/** The explanation for the caller, with these assumed to be down. */
const explained = (...down: readonly string[]): Promise<Explanation> =>
  a.plane.explain('one.test', { ...question, if: down.map((name) => `${name}=down`) });

/** A request of the caller, and the trail with which it came to each ingress for other IDCs. */
async function requested(): Promise<{ readonly answer: Answer; readonly trails: readonly string[] }> {
  const path = `/${Math.random().toString(36).slice(2)}`;
  const answer = await get(world.outbound, path, { host: 'one.test' });
  let trails: readonly string[] = [];
  const crossings = answer.status === 200 && !answer.body.startsWith('sh-a') ? 1 : 0;
  await until('it is logged', async () => {
    const lines = world.accessLines().filter((line) => line.path === path && line.listener === 'peer');
    trails = lines.map(({ trail }) => trail ?? '');
    return trails.length >= crossings;
  });
  return { answer, trails };
}

/** Where an explanation and a request differ; empty: they agree. */
function differences(
  { served, by, status, hops }: Explanation,
  { answer, trails }: Awaited<ReturnType<typeof requested>>,
) {
  const [idc = '', address = ''] = answer.body.split(' ');
  const found: string[] = [];
  if (served === 'nobody') {
    if (answer.status !== status) found.push(`status ${answer.status}, not ${status}`);
    return found;
  }
  if (by !== idc) found.push(`served by ${idc}, not ${by}`);
  const chosen = hops.at(-1)?.choices.find(({ isChosen }) => isChosen);
  const able = chosen?.hosts.filter(({ isUsable }) => isUsable).map((host) => host.address) ?? [];
  if (!able.includes(address)) found.push(`instance ${address}, not ${able.join(' or ')}`);
  const told = hops.filter(({ listener }) => listener === 'peer').map(({ trail }) => trail.join(','));
  if (told.join(' ') !== trails.join(' ')) found.push(`trail ${trails.join(' ')}, not ${told.join(' ')}`);
  return found;
}

/** The decisions of a way, without what is read and assumed on it. */
const decisions = ({ served, by, status, hops }: Explanation) => ({
  ...{ served, by, status },
  hops: hops.map(({ idc, listener, trail, decision }) => ({ idc, listener, trail, decision })),
});

/** Waits until the explanation is such, and compares it with requests. */
async function compared(is: (now: Explanation) => boolean): Promise<Explanation> {
  let now = await explained();
  await until('the proxies have found out', async () => {
    now = await explained();
    return is(now);
  });
  for (let i = 0; i < 5; i++) t.strictSame(differences(now, await requested()), []);
  return now;
}

t.test('all is well: each request stays, and each instance that is named answers', async (t) => {
  const now = await compared(
    ({ hops }) => hops[0]?.choices[0]?.hosts.every(({ health }) => health === 'healthy') === true,
  );
  t.match(now, { served: 'here', by: 'sh-a', hops: [{ health: 'proxies', readAt: ['caller'] }] });
  t.equal(now.hops.length, 1);
  const bodies = await Promise.all(Array.from({ length: 20 }, async () => (await requested()).answer.body));
  const named = now.hops[0]?.choices[0]?.hosts.map(({ address }) => `sh-a ${address}`);
  t.strictSame([...new Set(bodies)].sort(), named?.sort());
});

const noOneHere = [first.address, second.address];

t.test('what is assumed comes true: instances, a gateway, an IDC', async (t) => {
  await until('the egress gateway has checked the other IDCs', async () => {
    const answers = await Promise.all([explained(...noOneHere), explained(...noOneHere, 'sh-b')]);
    return answers.map(({ by }) => by).join() === 'sh-b,sh-c';
  });
  const away = await explained(...noOneHere);
  const further = await explained(...noOneHere, 'sh-b/ingress-1');
  const nobody = await explained(...noOneHere, 'sh-b', 'sh-c');
  t.match(away, { served: 'away', by: 'sh-b' });
  t.match(further, { served: 'away', by: 'sh-c' });
  t.match(nobody, { served: 'nobody', status: 503 });
  const whole = await explained('sh-a');
  t.match(whole, { served: 'nobody', status: 503 }, 'its egress gateway is assumed to be down as well');

  first.down();
  const half = await compared(
    ({ hops }) => hops[0]?.choices[0]?.hosts.some(({ isUsable }) => !isUsable) === true,
  );
  t.match(half, { served: 'here', by: 'sh-a' });

  second.down();
  const now = await compared(({ served }) => served === 'away');
  t.strictSame(decisions(now), decisions(away));
  t.strictSame(differences(further, await requested()).length > 0, true, 'another assumption does not hold');
  t.match(await a.plane.explain('one.test', { ...question, whyNot: 'sh-a' }), {
    whyNot: {
      isChosen: false,
      reasons: [
        /^Its instances: none of 2 can serve: .* \((fails its health check|health check times out)\)/,
      ],
    },
  });

  process.kill(world.pids.get('sh-b-ingress') as number, 'SIGKILL');
  const next = await compared(({ by }) => by === 'sh-c');
  t.strictSame(decisions(next), decisions(further));
  const { whyNot } = await a.plane.explain('one.test', { ...question, whyNot: 'sh-b' });
  t.match(whyNot, { isChosen: false, reasons: [/^No ingress gateway of sh-b can be used .* health check/] });
});

t.test('control: where the first proxy cannot be read, the explanation is wrong, and says so', async (t) => {
  const { edge } = world.gateways.get('sh-a') ?? {};
  const guess = await a.plane.explain('one.test', { ...question, from: 'sh-a/ingress-1' });
  const answer = await get(edge as ListenAddress, '/', { host: 'one.test' });
  t.match(answer.body, /^sh-c /);
  t.equal(guess.by, 'sh-a');
  t.match(guess.summary, /, if what is registered is healthy: the proxy where it begins does not tell\.$/);
  const told = await runCli(
    ...['explain', '--admin', `127.0.0.1:${admin.port}`, '--from', 'sh-a/ingress-1', '--host', 'one.test'],
  );
  t.equal(told.code, 2, told.out);
  t.match(guess, {
    hops: [{ health: 'registry' }],
    silent: [{ node: 'sh-a-ingress', why: /does not say where/ }],
  });
  t.not(differences(guess, { answer, trails: [] }).length, 0);
});

t.test('the command: words and exit codes', async (t) => {
  const at = `127.0.0.1:${admin.port}`;
  const run = (...args: readonly string[]) =>
    runCli('explain', '--admin', at, '--from', 'sh-a/caller', '--host', 'one.test', ...args);
  const away = await run('--why-not', 'sh-b');
  t.equal(away.code, 1, away.err);
  t.match(away.out, /^GET \/ to one\.test:80 from sh-a\/caller:\nsh-c serves it, after 1 crossing\.\n/);
  t.match(
    away.out,
    /\n1\. sh-a\/caller sends it to sh-a\/egress-1 \(sh-a-egress\)\.\n {3}ServiceEntry test\/one: declares one\.test:80/,
  );
  t.match(
    away.out,
    /\n2\. An egress gateway of sh-a sends it to sh-c\/ingress-1\.\n {3}DrGroup one: the order of the IDCs: sh-b, sh-c/,
  );
  t.match(away.out, /\n3\. An ingress gateway of sh-c sends it to .* in sh-c\.\n/);
  t.match(away.out, /\nWhy not sh-b:\n {3}No ingress gateway of sh-b can be used/);
  const nobody = await run('--if', 'sh-c=down');
  t.equal(nobody.code, 3, nobody.err);
  t.match(
    nobody.out,
    /\nAssumed down: sh-c: its gateways and the instances of the host\.\nNOBODY serves it \(503\)/,
  );
  const json = JSON.parse((await run('-o', 'json')).out);
  t.match(json, { served: 'away', by: 'sh-c', from: { node: 'caller', role: 'sidecar' } });
  t.match((await run('-o', 'yaml')).out, /^host: one\.test\nidc: sh-a\n/);
});

t.test('the command: what cannot be told, and what to do', async (t) => {
  const at = `127.0.0.1:${admin.port}`;
  const run = (from: string, host: string, ...args: readonly string[]) =>
    runCli('explain', '--admin', at, '--from', from, '--host', host, ...args);
  for (const [wanted, ...args] of [
    [/declares no host 'ome\.test': it has 1 host\. Did you mean 'one\.test'\?/, 'sh-a/caller', 'ome.test'],
    [
      /'callr' of sh-a is connected: connected are .*caller.*Did you mean 'caller'\?/,
      'sh-a/callr',
      'one.test',
    ],
    [/knows the proxies of sh-a alone: give --admin of one of sh-b/, 'sh-b/caller', 'one.test'],
    [/is an egress gateway, where no request begins/, 'sh-a/sh-a-egress', 'one.test'],
    [
      /no Idc is named 'sh-d': there are sh-a, sh-b and sh-c\./,
      'sh-a/caller',
      'one.test',
      '--why-not',
      'sh-d',
    ],
    [
      /named 'sh-b\/ingress-2': .* Did you mean 'sh-b\/ingress-1'\?/,
      'sh-a/caller',
      'one.test',
      '--if',
      'sh-b/ingress-2=down',
    ],
    [/'sh-b' assumes nothing: give NAME=down/, 'sh-a/caller', 'one.test', '--if', 'sh-b'],
  ] as const) {
    const { code, err, out } = await run(...(args as unknown as [string, string, ...string[]]));
    t.equal(code, 2, out);
    t.match(err, wanted);
  }
});

/** The explanation for the caller with these assumptions. */
const supposed = (...texts: readonly string[]) => a.plane.explain('one.test', { ...question, if: texts });

t.test('nobody is left, and then the instances are back, as was assumed', async (t) => {
  const down = await supposed('one.test@sh-c=down');
  t.match(down, { served: 'nobody', status: 503 });
  const up = await supposed('one.test@sh-a=up');
  t.match(up, { served: 'here', by: 'sh-a' });
  const one = await supposed(`${first.address}=up`, 'sh-c=down');
  t.match(one, { served: 'here', by: 'sh-a' });

  last.down();
  const nobody = await compared(({ served }) => served === 'nobody');
  t.strictSame({ by: nobody.by, status: nobody.status }, { by: down.by, status: down.status });
  await first.up();
  const half = await compared(({ served }) => served === 'here');
  t.strictSame(decisions(half), decisions(one));
  await second.up();
  const now = await compared(
    ({ hops }) => hops[0]?.choices[0]?.hosts.every(({ isUsable }) => isUsable) === true,
  );
  t.strictSame(decisions(now), decisions(up));
});

t.test('an IDC is evacuated, as was assumed', async (t) => {
  await last.up();
  await until('sh-c can serve again', async () => (await supposed('one.test@sh-a=down')).by === 'sh-c');
  const foretold = await supposed('sh-a=evacuated');
  t.match(foretold, { served: 'away', by: 'sh-c' });
  a.save(
    'evacuation.yaml',
    `
apiVersion: isthmus.dev/v1alpha1
kind: Evacuation
metadata: {name: works}
spec: {idc: sh-a, percent: 100, expires: '${new Date(Date.now() + 3_600_000).toISOString()}'}
`,
  );
  const now = await compared(({ by }) => by === 'sh-c');
  t.strictSame(decisions(now), decisions(foretold));
  const home = await supposed('sh-c=down');
  t.match(home, { served: 'here', by: 'sh-a' }, 'the last resort');
  last.down();
  const really = await compared(({ by }) => by === 'sh-a');
  t.strictSame(decisions(really).by, decisions(home).by);
});
