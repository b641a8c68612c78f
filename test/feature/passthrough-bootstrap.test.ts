import { networkInterfaces } from 'node:os';
import t from 'tap';
import { startDns } from '../../src/drill/world/dns-server.ts';
import { outcomeHeader } from '../../src/model/trail.ts';
import { startOutside } from '../support/apps/outside.ts';
import { freeAddress, get, startMesh, until } from '../support/mesh.ts';
import { idcYaml } from '../support/objects-yaml.ts';

// Sidecars that pass unknown hosts through or refuse them, as `isthmus bootstrap` makes them;
// passthrough.test.ts has the rest.

const dns = await startDns();
const near = await startOutside('127.0.1.1');
t.teardown(async () => {
  await near.close();
  await dns.close();
});
dns.say('www.outside.test', { addresses: [near.http.address] });

t.test('by its bootstrap, and with nothing altered', { timeout: 120_000 }, async (t) => {
  const mesh = await startMesh('sh-a', { 'idc.yaml': idcYaml });
  t.teardown(() => mesh.close());
  const [passing, refusing] = [await freeAddress(), await freeAddress()];
  const scope = { role: 'sidecar', idc: 'sh-a', namespace: 'shop' } as const;
  await Promise.all([
    mesh.envoy(
      'passing',
      { ...scope, outbound: passing, unknownHosts: 'pass' },
      { dns: [dns], mode: 'sotw' },
    ),
    mesh.envoy('refusing', { ...scope, outbound: refusing }, { dns: [dns] }),
  ]);
  const host = `www.outside.test:${near.http.port}`;
  await until(
    'it is served',
    async () => (await get(passing, '/', { host })).headers[outcomeHeader] !== undefined,
  );
  t.equal(
    (await get(passing, '/', { host })).headers[outcomeHeader],
    'refused-address',
    'all of 127.0.0.0/8',
  );
  t.equal((await get(refusing, '/', { host })).headers[outcomeHeader], 'unknown-host');
  const [own] = Object.values(networkInterfaces())
    .flat()
    .filter((one) => one !== undefined && one.family === 'IPv4' && !one.internal);
  if (own === undefined)
    return t.comment('no address of this machine but loopback: passing is seen above alone');
  const outside = await startOutside(own.address);
  t.teardown(() => outside.close());
  dns.say('own.outside.test', { addresses: [own.address] });
  t.equal((await get(passing, '/', { host: `own.outside.test:${outside.http.port}` })).status, 200);
});
