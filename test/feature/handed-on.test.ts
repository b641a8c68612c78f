import { createServer } from 'node:http2';
import t from 'tap';
import { visitedHeader } from '../../src/model/trail.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import {
  type Loose,
  type PatchedOptions,
  startPatched,
  withoutTrailFilters,
} from '../support/envoys/patched.ts';
import { freeAddress, get } from '../support/mesh.ts';

// An egress gateway of sh-a without its trail filters: what visited sets may do, with and without the
// settings that read them.

/** Stands where an ingress gateway of another IDC would: answers its name. */
async function gateway(name: string): Promise<ListenAddress> {
  const at = await freeAddress();
  const server = createServer();
  server.on('stream', (stream) => {
    stream.respond({ ':status': 200 });
    stream.end(name);
  });
  await new Promise<void>((resolve) => server.listen(at.port, at.address, resolve));
  t.teardown(() => server.close());
  return at;
}

const names = ['sh-a', 'sh-b', 'bj-c'];
const idcs = await Promise.all(
  names.map(async (name) => {
    const { address, port } = await gateway(name);
    return `
apiVersion: isthmus.dev/v1alpha1
kind: Idc
metadata: {name: ${name}}
spec:
  ingress: [{address: ${address}, edgePort: 1, peerPort: ${port}}]
  egress: [{address: 127.0.0.1, sidecarPort: 2, ingressPort: 3}]
---`;
  }),
);
const yaml = `${idcs.join('')}
apiVersion: isthmus.dev/v1alpha1
kind: DrGroup
metadata: {name: all}
spec: {hosts: [one.test], idcs: [${names.map((name) => `{name: ${name}}`)}], hopLimit: 2}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: one, namespace: test}
spec:
  hosts: [one.test]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: main, protocol: HTTP}]
`;

/** Returns which IDC answers a request that has visited these, at the listener for ingress gateways. */
async function startEgress(alter: NonNullable<PatchedOptions['patch']> = () => {}) {
  const [sidecar, ingress] = [await freeAddress(), await freeAddress()];
  const { close } = await startPatched({
    scope: { role: 'egress', idc: 'sh-a', sidecar, ingress },
    yaml,
    hopLimit: 2,
    patch(message) {
      withoutTrailFilters(message);
      alter(message);
    },
  });
  t.teardown(close);
  return async (visited?: string): Promise<string> => {
    const headers = { ...(visited === undefined ? {} : { [visitedHeader]: visited }) };
    const { status, body, headers: answered } = await get(ingress, '/', { host: 'one.test', headers });
    return status === 200 ? body : `${status} ${answered['x-isthmus-outcome']}`;
  };
}

t.test('a request goes to an IDC that it has not visited, or nowhere', async (t) => {
  const goes = await startEgress();
  for (let i = 0; i < 5; i += 1) {
    t.equal(await goes('sh-a'), 'sh-b', 'the most preferred');
    t.equal(await goes('sh-a,sh-b'), 'bj-c', 'one that sh-b has handed on');
    t.equal(await goes('bj-c,sh-a'), 'sh-b');
  }
  t.equal(await goes('bj-c,sh-a,sh-b'), '503 no-idc', 'at the hop limit');
  t.equal(await goes('_unknown'), '503 no-idc', 'an IDC that is not known');
  t.equal(await goes(), '503 no-idc', 'no filter has named what it visited');
});

t.test('without the match of what has visited no other IDC, an unmarked one leaves', async (t) => {
  const goes = await startEgress((message) => {
    for (const { routes } of message.virtual_hosts ?? [])
      for (const { match } of routes)
        match.headers = match.headers?.filter(
          ({ name, string_match }: Loose) => name !== visitedHeader || string_match.exact === undefined,
        );
  });
  t.equal(await goes('sh-a,sh-b'), 'sh-b', 'where it has been');
  t.equal(await goes(), 'sh-b');
});

t.test('without subsets, one that was handed on goes back', async (t) => {
  const goes = await startEgress((message) => {
    delete message.lb_subset_config;
  });
  t.equal(await goes('sh-a'), 'sh-b');
  t.equal(await goes('sh-a,sh-b'), 'sh-b', 'where it has been');
});
