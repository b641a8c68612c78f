import t from 'tap';
import { systemClock } from '../../../src/base/clock.ts';
import { startSource, TestFolder } from '../folder-fixture.ts';

const groups = 30_000;

/** A ServiceEntry and its WorkloadEntry, as people write them. */
function pair(n: number, weight = 1): string {
  const namespace = `team-${n % 50}`;
  return `---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: s-${n}
  namespace: ${namespace}
spec:
  hosts: [s-${n}.example]
  location: MESH_INTERNAL
  resolution: STATIC
  ports:
  - number: 80
    name: http
    protocol: HTTP
  workloadSelector:
    labels:
      app: app-${n}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata:
  name: w-${n}
  namespace: ${namespace}
spec:
  address: 10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}
  locality: sh-a/zone-1
  weight: ${weight}
  labels:
    app: app-${n}
`;
}

function file(number: number, weight = 1): string {
  return Array.from({ length: groups / 6 }, (_, n) =>
    pair(number * (groups / 6) + n, n === 7 ? weight : 1),
  ).join('');
}

t.test(`${groups} ServiceEntries and as many WorkloadEntries`, async (t) => {
  const folder = new TestFolder(t);
  for (let number = 0; number < 6; number++) folder.write(`mesh-${number}.yaml`, file(number));
  const start = systemClock.now();
  const cpu = process.cpuUsage();
  const { seen } = await startSource(t, folder.path);
  const loadMs = systemClock.now() - start;
  // Bounds are on our own work: other tests share the machine, and its time.
  const { user, system } = process.cpuUsage(cpu);
  const loadCpuMs = (user + system) / 1000;
  t.equal(seen.log().length, 2 * groups + 1);
  t.strictSame(seen.current(), []);
  const before = systemClock.now();
  folder.replace('mesh-3.yaml', file(3, 2));
  await seen.until('the change', () => seen.all.length === 2 * groups + 2);
  const editMs = systemClock.now() - before;
  t.comment(
    `loaded in ${loadMs.toFixed(0)} ms (CPU ${loadCpuMs.toFixed(0)} ms); one change in a file of ${groups / 3} objects seen after ${editMs.toFixed(0)} ms`,
  );
  t.ok(loadCpuMs < 8000, `${loadCpuMs} ms of CPU`);
});
