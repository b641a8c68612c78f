import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { readTrustFolder } from '../../src/trust/trust-folder.ts';
import { watchTrust } from '../../src/trust/trust-watch.ts';
import { freeAddress, get, type Mesh, startMesh, until } from '../support/mesh.ts';
import { groupYaml, idcYaml } from '../support/objects-yaml.ts';
import { createTestTrust, identityUri, trustDomain } from '../support/trust.ts';

/** A control plane with TLS, and a real Envoy that has the certificate of a sidecar. */
async function serve(t: Test) {
  const trust = createTestTrust();
  const root = await trust.root();
  const [own, folder] = [trust.folder('plane'), trust.folder('caller-1')];
  await trust.put(own, root, identityUri('controlplane', 'cp-1'));
  await trust.put(folder, root, identityUri('sidecar', 'caller-1'));
  const watch = watchTrust(own, { role: 'controlplane', idc: 'sh-a' }, systemClock);
  const files = { 'idc.yaml': idcYaml, 'one.yaml': groupYaml('one') };
  const mesh: Mesh = await startMesh('sh-a', files, { trust: watch });
  t.teardown(async () => {
    await mesh.close();
    trust.close();
  });
  const count = async (phase: string) => {
    const text = await mesh.plane.metrics.registry.getSingleMetricAsString('isthmus_events_total');
    const line = text.split('\n').find((one) => one.includes(`kind="trust",phase="${phase}"`));
    return Number(line?.split(' ').at(-1) ?? 0);
  };
  return {
    ...{ trust, root, own, folder, mesh, count },
    stream: () => mesh.plane.status().proxies.find(({ id }) => id === 'caller-1'),
    async envoy(id: string) {
      const outbound = await freeAddress();
      const scope = { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound } as const;
      return mesh.envoy(id, scope, { tls: { folder, trustDomain } });
    },
  };
}

/** A counter of an Envoy; 0 where it has none. */
async function statOf(admin: Parameters<typeof get>[0], name: string): Promise<number> {
  const { body } = await get(admin, `/stats?filter=^${name.replaceAll('.', '\\.')}$&usedonly`);
  return Number(/: (\d+)/.exec(body)?.[1] ?? 0);
}

/** Whether an Envoy has loaded the certificate that is in force in a folder. */
async function hasCurrent(admin: Parameters<typeof get>[0], folder: string): Promise<boolean> {
  const serial = readTrustFolder(folder, systemClock.wall())?.own.x509.serialNumber.toLowerCase() ?? '-';
  return (await get(admin, '/certs')).body.includes(serial);
}

const ssl = 'cluster.isthmus-xds.ssl';

t.test(
  'an Envoy is served over TLS, and goes on while both certificates and the root are replaced',
  async (t) => {
    const s = await serve(t);
    const { admin } = await s.envoy('caller-1');
    t.match(s.stream(), { role: 'sidecar' });
    const hands = await statOf(admin, `${ssl}.handshake`);
    t.equal(hands, 1);
    const next = await s.trust.root();
    const both = [s.root, next];
    await s.trust.put(s.folder, s.root, identityUri('sidecar', 'caller-1'), both);
    await s.trust.put(s.own, s.root, identityUri('controlplane', 'cp-1'), both);
    await until('the control plane has both roots', async () => (await s.count('updated')) === 1);
    await until('the Envoy has both roots', () => hasCurrent(admin, s.folder));
    t.equal(await statOf(admin, `${ssl}.handshake`), hands, 'the stream lives on');
    await s.trust.put(s.folder, next, identityUri('sidecar', 'caller-1'), both);
    await s.trust.put(s.own, next, identityUri('controlplane', 'cp-1'), both);
    await until('the control plane has the next', async () => (await s.count('updated')) === 2);
    await until('the Envoy has the next', () => hasCurrent(admin, s.folder));
    t.equal(await statOf(admin, `${ssl}.handshake`), hands, 'the stream lives on still');
    await s.trust.put(s.own, next, identityUri('controlplane', 'cp-1'), [next]);
    await until('the stream of the old root ends', async () => (await s.count('ended')) === 1);
    await until('it is back, with the next', async () => (await statOf(admin, `${ssl}.handshake`)) > hands);
    await until('it is served', () => s.stream() !== undefined);
    t.equal(await statOf(admin, `${ssl}.fail_verify_san`), 0);
    t.equal((await get(admin, '/ready')).status, 200);
  },
);

t.test('an Envoy takes nothing from a server with a sidecar’s certificate', async (t) => {
  const s = await serve(t);
  const { admin } = await s.envoy('caller-1');
  const impostor = s.trust.folder('impostor');
  await s.trust.put(impostor, s.root, identityUri('controlplane', 'cp-2'));
  // As a server that checks nothing of itself: the watch refuses such a folder.
  const watch = watchTrust(impostor, { role: 'controlplane', idc: 'sh-a' }, systemClock);
  const stolen = await s.trust.leaf(s.root, identityUri('sidecar', 'caller-2'));
  const material = watch.current();
  const fake = {
    ...material,
    files: { ...material.files, certificate: stolen.certificate, key: stolen.key },
  };
  await s.mesh.restart({ trust: { ...watch, current: () => fake } });
  await until('it is refused', async () => (await statOf(admin, `${ssl}.fail_verify_san`)) > 0);
  t.equal(s.stream(), undefined);
  await s.mesh.restart({ trust: watchTrust(impostor, { role: 'controlplane', idc: 'sh-a' }, systemClock) });
  await until('the right one is believed again', () => s.stream() !== undefined);
});

t.test('an Envoy with the certificate of another node gets nothing', async (t) => {
  const s = await serve(t);
  const readyTimeoutMs = 5_000;
  const outbound = await freeAddress();
  const scope = { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound } as const;
  const tls = { folder: join(s.folder), trustDomain };
  await t.rejects(s.mesh.envoy('caller-2', scope, { tls, readyTimeoutMs }), { message: /in vain/ });
  t.ok((await s.count('refused')) > 0);
  t.match(
    s.mesh.plane
      .status()
      .problems.map(({ message }) => message)
      .join('\n'),
    /caller-1' of IDC sh-a, and the node says id 'caller-2'/,
  );
});
