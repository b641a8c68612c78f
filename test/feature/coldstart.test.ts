import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { startControlPlane } from '../../src/plane/controlplane.ts';
import type { ControlPlane } from '../../src/plane/types.ts';
import { startAdsFleet } from '../support/clients/ads-fleet.ts';
import { freeAddress, until } from '../support/mesh.ts';
import { createRawSource, type RawSource } from '../support/planes/raw-source.ts';

// A restart with a thousand connected proxies: no proxy ever gets a state with fewer endpoints than the
// registry holds, and who is up to date gets nothing.
t.setTimeout(600_000);
const services = 4;
const instances = 6;

const idc = {
  apiVersion: 'isthmus.dev/v1alpha1',
  kind: 'Idc',
  metadata: { name: 'sh-a' },
  spec: {
    ingress: [{ address: '127.0.0.1', edgePort: 1, peerPort: 2 }],
    egress: [{ address: '127.0.0.1', sidecarPort: 3, ingressPort: 4 }],
  },
};
const workload = (service: number, instance: number, port = 8000) => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'WorkloadEntry',
  metadata: { name: `s${service}-${instance}`, namespace: 'shop' },
  spec: { address: `10.0.${service}.${instance}`, ports: { http: port }, labels: { app: `s${service}` } },
});
const objects = [
  idc,
  ...Array.from({ length: services }, (_, i) => ({
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: { name: `s${i}`, namespace: 'shop' },
    spec: {
      hosts: [`s${i}.shop`],
      location: 'MESH_INTERNAL',
      resolution: 'STATIC',
      ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
      workloadSelector: { labels: { app: `s${i}` } },
    },
  })),
  ...Array.from({ length: services * instances }, (_, i) => workload(i % services, Math.floor(i / services))),
];

/** Runs the story; returns what the fleet saw. */
async function restart(t: Test, clients: { delta: number; sotw: number }, answerBeforeReady: boolean) {
  const count = clients.delta + clients.sotw;
  const xds = await freeAddress();
  let plane: ControlPlane | undefined;
  const start = (source: RawSource) =>
    startControlPlane(
      { idc: 'sh-a', sources: [source], xds, hopLimit: 1, clock: systemClock, logger: silentLogger },
      { answerBeforeReady },
    );
  const scope = {
    ...{ role: 'sidecar', idc: 'sh-a', namespace: 'shop' },
    outbound: { address: '127.0.0.1', port: 15001 },
  };
  const first = createRawSource(objects);
  plane = await start(first);
  await until('it is ready', () => plane?.status().ready === true);
  const fleet = startAdsFleet({
    ...{ address: `127.0.0.1:${xds.port}`, name: 'light', ...clients, metadata: { isthmus: scope } },
    endpointsMin: services * instances,
  });
  t.teardown(async () => {
    fleet.stop();
    await plane?.close();
  });
  const before = await fleet.until('all have all', ({ complete }) => complete === count);
  t.equal(before.violations, 0, 'a first start is whole, too');
  await plane.close();
  const gate = Promise.withResolvers<void>();
  const second = createRawSource(objects, gate.promise);
  const starting = start(second);
  // The registry is slow: all proxies are back before it has told the second half.
  await fleet.until('all are back', ({ streams }) => streams >= before.streams + count);
  // As long as it takes: on a busy machine the second half may come before the first responses.
  if (answerBeforeReady) await fleet.until('some have less', ({ violations }) => violations > 0);
  gate.resolve();
  plane = await starting;
  await until('it is ready again', () => plane?.status().ready === true);
  await until('all are here', () => plane?.status().proxies.length === count);
  second.put(workload(0, 0, 9000));
  const changed = '10.0.0.0:9000';
  const after = await fleet.until(
    'the change is everywhere',
    ({ addresses }) => addresses[changed] === count,
  );
  return after;
}

t.test(
  'after a restart of the control plane everyone gets the complete state, and up-to-date proxies nothing',
  async (t) => {
    const after = await restart(t, { delta: 800, sotw: 200 }, false);
    t.same(after.firstViolations, []);
    t.equal(after.violations, 0);
    t.equal(
      after.deltaResponses,
      1_600,
      'two responses each: one of nothing, as they came back, and the change',
    );
  },
);

t.test(
  'negative control: answered before it is ready, proxies lose endpoints',
  { timeout: 500_000 },
  async (t) => {
    const after = await restart(t, { delta: 80, sotw: 20 }, true);
    t.ok(after.violations > 0, `${after.violations}: ${after.firstViolations[0]}`);
  },
);
