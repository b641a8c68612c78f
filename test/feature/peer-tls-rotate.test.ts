import t, { type Test } from 'tap';
import { crossAgainAndAgain, crossedHost, startPeers } from '../support/envoys/peers.ts';
import { get, until } from '../support/mesh.ts';

// Certificates of gateways, then the roots of both IDCs, are replaced under load.

const handshakes = '^cluster\\..*ssl.handshake$';

async function startWorld(t: Test) {
  const peers = await startPeers(t);
  const { world, setMode, stat } = peers;
  await setMode('require');
  await until('requests arrive over TLS', async () => {
    await get(world.outbound, '/', { host: crossedHost });
    return (await stat('sh-b-ingress', '^http.peer-tls.downstream_rq_2xx$')) > 0;
  });
  await until(
    'it serves',
    async () => (await get(world.outbound, '/', { host: crossedHost })).status === 200,
  );
  const shakes = () => stat('sh-a-egress', handshakes);
  return {
    ...peers,
    shakes,
    /** Resolves once the egress has connected anew: clusters whose roots change begin anew. */
    async untilConnected(before: number) {
      await until('it has connected anew', async () => (await shakes()) > before);
    },
  };
}

t.test('leaves, then both roots, in the right order: no request fails', async (t) => {
  const { world, trust, roots, issue, setMode, hasCurrent, shakes, untilConnected } = await startWorld(t);
  const load = crossAgainAndAgain(world);
  const gateways = [['sh-a', 'egress'] as const, ['sh-b', 'ingress'] as const];
  for (let round = 0; round < 3; round += 1)
    for (const [idc, role] of gateways) {
      await issue(idc, role);
      await until('it is loaded', () => hasCurrent(`${idc}-${role}`));
    }
  const next = { 'sh-a': await trust.root('sh-a.example'), 'sh-b': await trust.root('sh-b.example') };
  let before = await shakes();
  await setMode('require', { 'sh-a': [roots['sh-a'], next['sh-a']], 'sh-b': [roots['sh-b'], next['sh-b']] });
  await untilConnected(before);
  t.equal((await get(world.outbound, '/', { host: crossedHost })).status, 200, 'by the leaves of before');
  for (const [idc, role] of gateways) {
    await issue(idc, role, next[idc]);
    await until('it is loaded', () => hasCurrent(`${idc}-${role}`));
  }
  before = await shakes();
  await setMode('require', { 'sh-a': [next['sh-a']], 'sh-b': [next['sh-b']] });
  await untilConnected(before);
  const sent = load.sent();
  await until('requests go on', () => load.sent() > sent + 50);
  await load.end();
  t.strictSame(load.failures, [], `of ${load.sent()} requests`);
  t.comment(`${load.sent()} requests, ${await shakes()} handshakes`);
});

t.test('control: the old root goes before the leaves that depend on it', async (t) => {
  const { world, trust, setMode } = await startWorld(t);
  const next = { 'sh-a': await trust.root('sh-a.example'), 'sh-b': await trust.root('sh-b.example') };
  const load = crossAgainAndAgain(world);
  await setMode('require', { 'sh-a': [next['sh-a']], 'sh-b': [next['sh-b']] });
  await until('requests fail', () => load.failures.length > 0);
  await load.end();
  t.ok(load.failures.length > 0);
});
