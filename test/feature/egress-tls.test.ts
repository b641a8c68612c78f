import t from 'tap';
import {
  askOver,
  crossAgainAndAgain,
  crossedHost,
  isRefused,
  proxyUri,
  startPeers,
} from '../support/envoys/peers.ts';
import { get, until } from '../support/mesh.ts';

// Sidecars and ingress gateways enter their IDC's egress gateways by certificates.

t.test('from plaintext to TLS alone, step by step, under load', async (t) => {
  const { world, trust, roots, setMode, stat } = await startPeers(t);
  const known = { 'sh-a': [roots['sh-a']], 'sh-b': [roots['sh-b']] };
  await until(
    'it serves',
    async () => (await get(world.outbound, '/', { host: crossedHost })).status === 200,
  );
  const load = crossAgainAndAgain(world);
  const caller = await trust.leaf(roots['sh-a'], proxyUri('sh-a', 'sidecar', 'caller'));
  const { sidecar, ingress } = world.egress;
  const overTls = (listener: string) => stat('sh-a-egress', `^http.${listener}-tls.downstream_rq_completed$`);

  await setMode('off', known, 'accept');
  await until('TLS is taken', async () => (await askOver(sidecar, undefined, caller)) === 200);
  const before = await overTls('sidecar');
  const sent = load.sent();
  await until('requests go on', () => load.sent() > sent + 20);
  t.equal(await overTls('sidecar'), before, 'and nobody uses it');

  await setMode('off', known, 'use');
  await until('TLS is used', async () => (await overTls('sidecar')) > before + 10);
  await until('by the ingress gateway, too', async () => {
    await get(world.edge, '/', { host: crossedHost });
    return (await overTls('ingress')) > 0;
  });
  t.equal(await askOver(sidecar, undefined), 200, 'control: whoever reaches it is taken for a sidecar');

  await setMode('require', known, 'require');
  await until('plaintext is refused', () => isRefused(askOver(sidecar, undefined)));
  t.ok(await isRefused(askOver(ingress, 'sh-a')));
  t.equal(await askOver(sidecar, undefined, caller), 200);
  t.equal((await get(world.edge, '/', { host: crossedHost })).status, 200);
  await load.end();
  t.strictSame(load.failures, [], `of ${load.sent()} requests`);

  const leaf = (idc: 'sh-a' | 'sh-b', role: string, by = roots[idc]) =>
    trust.leaf(by, proxyUri(idc, role, `${role}-1`));
  for (const [who, pair] of [
    ['an ingress gateway', leaf('sh-a', 'ingress')],
    ['an egress gateway', leaf('sh-a', 'egress')],
    ['a sidecar of another IDC', leaf('sh-b', 'sidecar')],
    ['a sidecar by the authority of another IDC', leaf('sh-a', 'sidecar', roots['sh-b'])],
  ] as const)
    t.ok(await isRefused(askOver(sidecar, undefined, await pair)), `${who} at the listener for sidecars`);
  t.ok(await isRefused(askOver(ingress, 'sh-a', caller)), 'a sidecar at the listener for ingress gateways');
  t.comment(`${load.sent()} requests`);
});
