import t from 'tap';
import type { IssuedPair } from '../../src/trust/ca/issue.ts';
import {
  askOver,
  crossAgainAndAgain,
  crossedHost,
  isRefused,
  proxyUri,
  startPeers,
} from '../support/envoys/peers.ts';
import { get, until } from '../support/mesh.ts';
import { idcYamlOf } from '../support/objects-yaml.ts';

// Gateways of two IDCs that know each other by certificates, each IDC with an authority of its own.

t.test('from plaintext to TLS alone, step by step, under load', async (t) => {
  const { world, trust, roots, setMode, stat } = await startPeers(t);
  await until(
    'it serves',
    async () => (await get(world.outbound, '/', { host: crossedHost })).status === 200,
  );
  const load = crossAgainAndAgain(world);
  const egress = await trust.leaf(roots['sh-a'], proxyUri('sh-a', 'egress', 'sh-a-egress'));

  await t.test('accept: TLS is taken, plaintext is sent', async (t) => {
    await setMode('accept');
    await until('TLS is taken', async () => (await askOver(world.peer, 'sh-a', egress)) === 200);
    t.equal(await stat('sh-a-egress', '^cluster\\..*ssl.handshake$'), 0);
    t.equal(await askOver(world.peer, 'sh-x', egress), 403, 'a forged trail');
    t.equal(await askOver(world.peer, 'sh-x'), 200, 'control: without a certificate nobody knows');
  });
  await t.test('use: TLS is sent, plaintext is taken', async (t) => {
    await setMode('use');
    await until('TLS is sent', async () => (await stat('sh-a-egress', '^cluster\\..*ssl.handshake$')) > 0);
    t.equal(await askOver(world.peer, 'sh-a'), 200);
  });
  await t.test('require: plaintext is refused', async (t) => {
    await setMode('require');
    await until('it is refused', () => isRefused(askOver(world.peer, 'sh-a')));
    const before = await stat('sh-b-ingress', '^http.peer-tls.downstream_rq_completed$');
    await until('requests arrive over TLS', async () => {
      return (await stat('sh-b-ingress', '^http.peer-tls.downstream_rq_completed$')) > before + 10;
    });
    t.ok(await isRefused(askOver(world.peer, 'sh-a')));
  });
  await load.end();
  t.strictSame(load.failures, [], `of ${load.sent()} requests`);
  t.comment(`${load.sent()} requests`);
});

t.test('a step is not skipped: what is in force stays, and requests go on', async (t) => {
  const { world, setMode, skipTo } = await startPeers(t);
  await setMode('accept');
  await until(
    'it serves',
    async () => (await get(world.outbound, '/', { host: crossedHost })).status === 200,
  );
  const load = crossAgainAndAgain(world);
  skipTo('require');
  await until('it is told', () =>
    world.problems().some((one) => /goes from accept to require at once/.test(one)),
  );
  const sent = load.sent();
  await until('requests go on', () => load.sent() > sent + 20);
  t.equal(await askOver(world.peer, 'sh-a'), 200, 'plaintext is taken still');
  await load.end();
  t.strictSame(load.failures, []);
});

t.test('who gets in, and who is believed', async (t) => {
  const { world, trust, roots, folderOf, setMode, stat } = await startPeers(t);
  await setMode('require');
  const leaf = (root: IssuedPair, name: string, term = {}) => trust.leaf(root, name, term);
  const good = await leaf(roots['sh-a'], proxyUri('sh-a', 'egress', 'sh-a-egress'));
  await until('it takes TLS', async () => (await askOver(world.peer, 'sh-a', good)) === 200);
  await until(
    'it serves',
    async () => (await get(world.outbound, '/', { host: crossedHost })).status === 200,
  );

  await t.test('the trail ends with the IDC of the certificate, or the request is refused', async (t) => {
    t.equal(await askOver(world.peer, 'sh-a', good), 200);
    t.equal(await askOver(world.peer, 'sh-c,sh-a', good), 400, 'too long a trail, by the filter behind');
    t.equal(await askOver(world.peer, 'sh-a,sh-c', good), 403);
    t.equal(await askOver(world.peer, undefined, good), 400, 'none at all, by the filter behind');
    t.equal(await askOver(world.peer, 'sh-aa', good), 403);
    t.equal(await askOver(world.peer, 'xsh-a', good), 403);
  });

  const refused: readonly (readonly [string, () => Promise<IssuedPair>])[] = [
    ['a sidecar', () => leaf(roots['sh-a'], proxyUri('sh-a', 'sidecar', 'caller'))],
    ['an ingress gateway', () => leaf(roots['sh-a'], proxyUri('sh-a', 'ingress', 'sh-a-ingress'))],
    ['an egress of its own IDC', () => leaf(roots['sh-b'], proxyUri('sh-b', 'egress', 'sh-b-egress'))],
    [
      'a name of sh-a by the authority of sh-b',
      () => leaf(roots['sh-b'], proxyUri('sh-a', 'egress', 'sh-a-egress')),
    ],
    [
      'another IDC in the trust domain of sh-a',
      () => leaf(roots['sh-a'], 'spiffe://sh-a.example/idc/sh-b/egress/sh-b-egress'),
    ],
    [
      'an expired certificate',
      () =>
        leaf(roots['sh-a'], proxyUri('sh-a', 'egress', 'sh-a-egress'), { fromMs: -60_000, untilMs: -1_000 }),
    ],
    [
      'one that is not valid yet',
      () =>
        leaf(roots['sh-a'], proxyUri('sh-a', 'egress', 'sh-a-egress'), { fromMs: 60_000, untilMs: 90_000 }),
    ],
    [
      'an authority that nobody knows',
      async () => leaf(await trust.root('sh-a.example'), proxyUri('sh-a', 'egress', 'sh-a-egress')),
    ],
  ];
  for (const [who, pair] of refused)
    await t.test(`${who}: refused`, async (t) => {
      t.ok(await isRefused(askOver(world.peer, 'sh-a', await pair())));
    });
  await t.test('no certificate, TLS 1.2: refused', async (t) => {
    t.ok(await isRefused(askOver(world.peer, 'sh-a', undefined, { ca: roots['sh-b'].certificate })));
    t.ok(await isRefused(askOver(world.peer, 'sh-a', good, { maxVersion: 'TLSv1.2' })));
    t.equal(await askOver(world.peer, 'sh-a', good), 200, 'and the right one still gets in');
  });

  await t.test('an ingress gateway that is none gets no request', async () => {
    const folder = folderOf('sh-b-ingress');
    const { pid = 0 } = world.gateways.get('sh-b-ingress') ?? {};
    process.kill(pid, 'SIGKILL');
    await trust.put(folder, roots['sh-b'], proxyUri('sh-b', 'sidecar', 'stolen'));
    await world.startIngress('sh-b');
    await until('it is refused', async () => {
      const { status } = await get(world.outbound, '/', { host: crossedHost });
      return status !== 200 && (await stat('sh-a-egress', '^cluster\\..*ssl.fail_verify_san$')) > 0;
    });
    await trust.put(folder, roots['sh-b'], proxyUri('sh-b', 'ingress', 'sh-b-ingress'));
    await until(
      'it is believed again',
      async () => (await get(world.outbound, '/', { host: crossedHost })).status === 200,
    );
  });
});

t.test('checks of a Group cross in the same way, beside an IDC in plaintext', async (t) => {
  const { world, setMode, stat } = await startPeers(t, '{health: {path: /up}}');
  // With a third IDC there is something to be told by checks. Nobody listens there.
  world.edit(
    (yaml) =>
      `${yaml.replace('idcs: [{name: sh-a}, {name: sh-b}]', 'idcs: [{name: sh-a}, {name: sh-b}, {name: sh-c}]')}---${idcYamlOf('sh-c')}`,
  );
  const checks = (what: string) => stat('sh-a-egress', `^cluster\\.idcs.*health_check.${what}$`);
  await until('it was checked', async () => (await checks('success')) > 0);
  const passed = await checks('success');
  await setMode('require');
  await until('over TLS', async () => (await stat('sh-b-ingress', '^http.peer-tls.downstream_rq_2xx$')) > 0);
  await until('it is checked over TLS', async () => (await checks('success')) > passed);
  await until(
    'it serves',
    async () => (await get(world.outbound, '/', { host: crossedHost })).status === 200,
  );
  t.ok((await stat('sh-a-egress', '^cluster\\.idcs.*ssl.handshake$')) > 0);
  t.equal(await stat('sh-a-egress', '^cluster\\..*ssl.fail_verify_san$'), 0);
});
