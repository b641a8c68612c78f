import { Client } from '@grpc/grpc-js';
import t from 'tap';
import { encodeJson } from '../../src/xds/codec/codec.ts';
import { discoveryMethods } from '../../src/xds/services/discovery-methods.ts';
import { connectXds } from '../support/clients/xds-client.ts';
import { until } from '../support/mesh.ts';
import { clientCredentials, egressScope, sidecarScope, startTrusting } from '../support/planes/trusting.ts';
import { identityUri } from '../support/trust.ts';

// Who may do what at the xDS port: each cell against a real server, over real TLS.

const at = (port: number) => ({ address: '127.0.0.1', port });
/** What a node of each role says of itself. */
const scopes = {
  sidecar: sidecarScope(),
  grpc: { isthmus: { role: 'grpc', idc: 'sh-a', namespace: 'shop' } },
  ingress: { isthmus: { role: 'ingress', idc: 'sh-a', edge: at(15080), peer: at(15443) } },
  egress: egressScope,
};
const nodeRoles = Object.keys(scopes) as (keyof typeof scopes)[];

/** The roles of nodes whose configuration a certificate of each role gets. */
const may: Readonly<Record<string, readonly string[]>> = {
  sidecar: ['sidecar'],
  grpc: ['grpc'],
  ingress: ['ingress'],
  egress: ['egress'],
  controlplane: [],
  ca: [],
};

t.test('a certificate gets the configuration of its own role, and of no other', async (t) => {
  const s = await startTrusting(t);
  let refused = 0;
  for (const [role, allowed] of Object.entries(may)) {
    const pair = await s.leaf(identityUri(role, 'one'));
    for (const nodeRole of nodeRoles) {
      const client = s.connect(pair, { id: 'one', metadata: scopes[nodeRole] });
      const cell = `a ${role} as a ${nodeRole}`;
      if (allowed.includes(nodeRole)) t.match(await client.next(), { type_url: /Cluster$/ }, cell);
      else {
        t.match(await client.ended, { code: 7, details: new RegExp(`says role '${nodeRole}'`) }, cell);
        refused += 1;
        t.equal(await s.refused(), refused, `${cell}: counted`);
      }
      client.close();
    }
  }
  t.equal(refused, 20);
});

t.test('the control: with the check off, each certificate gets everything', async (t) => {
  const s = await startTrusting(t, { believeNodes: true });
  for (const role of Object.keys(may)) {
    const pair = await s.leaf(identityUri(role, 'one'));
    for (const nodeRole of nodeRoles) {
      const client = s.connect(pair, { id: 'one', metadata: scopes[nodeRole] });
      t.match(await client.next(), { type_url: /Cluster$/ }, `a ${role} as a ${nodeRole}`);
      client.close();
    }
  }
});

for (const believeNodes of [false, true])
  t.test(
    believeNodes
      ? 'the control: with the check off, each service has a stream for it'
      : 'no service of discovery has a stream for a sidecar that says to be a gateway',
    async (t) => {
      const s = await startTrusting(t, { believeNodes });
      const pair = await s.leaf(identityUri('sidecar', 'one'));
      const streams = discoveryMethods.filter(({ once }) => !once);
      t.equal(streams.length, 19);
      for (const { path, protocol, only } of streams) {
        const secure = clientCredentials(pair, s.root.certificate);
        const node = { id: 'one', metadata: egressScope };
        const client = connectXds(s.address, protocol, node, secure, path);
        client.send(only ?? 'CDS');
        if (believeNodes) {
          await until(`${path}: it has one`, () => s.mesh.plane.status().proxies.length === 1);
          client.close();
          await until(`${path}: it has left`, () => s.mesh.plane.status().proxies.length === 0);
        } else t.match(await client.ended, { code: 7, details: /says role 'egress'/ }, path);
        client.close();
      }
      t.equal(await s.refused(), believeNodes ? 0 : streams.length);
    },
  );

/** One request to a method: the code of its end; 0: it was answered. */
async function ask(client: Client, path: string, request: Uint8Array): Promise<number> {
  const bytes = (buffer: Buffer) => buffer;
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, bytes, bytes, Buffer.from(request), (error) => resolve(error?.code ?? 0));
  });
}

t.test('requests of one answer are checked as streams are; tools are not there', async (t) => {
  const s = await startTrusting(t);
  const pair = await s.leaf(identityUri('sidecar', 'one'));
  const client = new Client(s.address, clientCredentials(pair, s.root.certificate));
  t.teardown(() => client.close());
  const request = (metadata: object, names: readonly string[]) =>
    encodeJson('envoy.service.discovery.v3.DiscoveryRequest', {
      ...{ node: { id: 'one', metadata }, resource_names: names },
    });
  const fetches = discoveryMethods.filter(({ once }) => once);
  t.equal(fetches.length, 8);
  for (const { path } of fetches) t.equal(await ask(client, path, request(egressScope, ['a'])), 7, path);
  t.equal(await s.refused(), fetches.length, 'each is counted');
  const own = '/envoy.service.cluster.v3.ClusterDiscoveryService/FetchClusters';
  t.equal(await ask(client, own, request(scopes.sidecar, [])), 0, 'the control: its own');
  const tools = [
    '/envoy.service.status.v3.ClientStatusDiscoveryService/FetchClientStatus',
    '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
  ];
  for (const path of tools) t.equal(await ask(client, path, new Uint8Array()), 12, path);
  t.equal(await ask(client, '/grpc.health.v1.Health/Check', new Uint8Array()), 0, 'whether it serves');
});
