import { credentials } from '@grpc/grpc-js';
import type { Test } from 'tap';
import { systemClock } from '../../../src/base/clock.ts';
import type { IssuedPair } from '../../../src/trust/ca/issue.ts';
import { watchTrust } from '../../../src/trust/trust-watch.ts';
import { connectXds, type XdsClient } from '../clients/xds-client.ts';
import { type Mesh, startMesh } from '../mesh.ts';
import { idcYaml } from '../objects-yaml.ts';
import { createTestTrust, identityUri, type LeafTerm } from '../trust.ts';

/** What a sidecar of the namespace `shop` says of itself. */
export const sidecarScope = (idc = 'sh-a') => ({
  isthmus: { role: 'sidecar', idc, namespace: 'shop', outbound: { address: '127.0.0.1', port: 15001 } },
});

export const egressScope = {
  isthmus: {
    ...{ role: 'egress', idc: 'sh-a', sidecar: { address: '127.0.0.1', port: 15444 } },
    ingress: { address: '127.0.0.1', port: 15445 },
  },
};

/** Credentials of a client that shows a certificate, or none; it believes any name of the server. */
export function clientCredentials(pair: IssuedPair | undefined, roots: string) {
  const pem = (text: string) => Buffer.from(text);
  return credentials.createSsl(
    pem(roots),
    pair === undefined ? null : pem(pair.key),
    pair === undefined ? null : pem(pair.certificate),
    { checkServerIdentity: () => undefined },
  );
}

/** A control plane that wants certificates, and who connects to it. */
export async function startTrusting(t: Test, options: { readonly believeNodes?: boolean } = {}) {
  const trust = createTestTrust();
  const root = await trust.root();
  const own = trust.folder('plane');
  await trust.put(own, root, identityUri('controlplane', 'cp-1'));
  const watch = watchTrust(own, { role: 'controlplane', idc: 'sh-a' }, systemClock);
  const mesh: Mesh = await startMesh('sh-a', { 'idc.yaml': idcYaml }, { trust: watch, ...options });
  const clients: XdsClient[] = [];
  t.teardown(async () => {
    for (const client of clients) client.close();
    await mesh.close();
    trust.close();
  });
  const address = `127.0.0.1:${mesh.plane.xds.port}`;
  /** Connects with a certificate, or none, and says to be a node. */
  function connect(pair: IssuedPair | undefined, node: object, roots = root.certificate): XdsClient {
    const client = connectXds(address, 'delta', node, clientCredentials(pair, roots));
    clients.push(client);
    client.send('CDS', { resource_names_subscribe: ['*'] });
    return client;
  }
  const { metrics } = mesh.plane;
  const count = async (name: string, label: string) => {
    const text = await metrics.registry.getSingleMetricAsString(name);
    const line = text.split('\n').find((one) => one.startsWith(`${name}{`) && one.includes(label));
    return Number(line?.split(' ').at(-1) ?? 0);
  };
  return {
    ...{ trust, root, own, mesh, address, connect },
    refused: () => count('isthmus_streams_refused_total', 'code="forbidden"'),
    turnedAway: () => count('isthmus_xds_turned_away_total', 'limit="tls"'),
    told: (phase: string) => count('isthmus_events_total', `kind="trust",phase="${phase}"`),
    leaf: (uri: string, term?: LeafTerm, by = root) => trust.leaf(by, uri, term),
  };
}
