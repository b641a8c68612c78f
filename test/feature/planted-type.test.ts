import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { idc, toYaml } from '../registry/objects.ts';
import { connectXds } from '../support/clients/xds-client.ts';
import { type PlantedSources, plantSources } from '../support/planted.ts';

// docs/HACKING.md: a new type of resource is one row and one builder. A copy of the sources gets just these,
// for a type that Envoy has and nobody here serves.

const message = 'envoy.config.listener.v3.FilterChain';
const url = `type.googleapis.com/${message}`;

/** The row, before the end of the table. */
const row = {
  file: 'src/xds/resource-types.ts',
  before: '} as const satisfies Readonly<Record<string, ResourceType>>;',
  text: `  FCDS: { message: '${message}', service: ['planted.FilterChainDiscoveryService', 'FilterChains'],
    fullState: false, wildcard: true, eager: false },\n`,
};

/** A resource of the type for each sidecar. */
const builder = {
  file: 'src/translate/resources.ts',
  before: "eds(buildEgressAssignment(context.localIdc, 'sidecarPort', context.hungGateways)),",
  text: `built('FCDS', 'planted', packAny('${message}', { name: 'planted' })),\n`,
};

/** A control plane of these sources. */
async function start(t: Test, { dir, load }: PlantedSources) {
  const { startControlPlane } = await load('src/plane/controlplane.ts');
  const { openSource } = await load('src/registry/open.ts');
  const config = join(dir, 'config');
  mkdirSync(config);
  writeFileSync(join(config, 'idc.yaml'), toYaml(idc('sh-a')));
  const plane = await startControlPlane({
    ...{ idc: 'sh-a', hopLimit: 1, clock: systemClock, logger: silentLogger },
    ...{ sources: [openSource(config, { clock: systemClock })], xds: { address: '127.0.0.1', port: 0 } },
  });
  t.teardown(() => plane.close());
  return plane;
}

const node = {
  id: 'caller',
  metadata: {
    isthmus: {
      role: 'sidecar',
      idc: 'sh-a',
      namespace: 'shop',
      outbound: { address: '127.0.0.1', port: 15001 },
    },
  },
};

t.test('a row and a builder: the type is served, by ADS and by its own service', async (t) => {
  const plane = await start(t, plantSources(t, row, builder));
  const at = `127.0.0.1:${plane.xds.port}`;
  const ways = [
    connectXds(at, 'sotw', node),
    connectXds(at, 'delta', node),
    connectXds(at, 'delta', node, undefined, '/planted.FilterChainDiscoveryService/DeltaFilterChains'),
  ];
  for (const client of ways) {
    t.teardown(() => client.close());
    client.send(url);
    const response = await client.next();
    t.equal(response.type_url, url);
    t.match(JSON.stringify(response.resources), /"name":"planted"/);
    client.ack(response);
  }
  t.match(Object.keys(plane.status().proxies[0]?.types ?? {}), ['FCDS'], 'status names it');
});

t.test('without them nobody knows the type', async (t) => {
  const plane = await start(t, plantSources(t));
  const client = connectXds(`127.0.0.1:${plane.xds.port}`, 'delta', node);
  t.teardown(() => client.close());
  client.send(url);
  t.match(await client.ended, { details: /is not a resource type/ });
});
