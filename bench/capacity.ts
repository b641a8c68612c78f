// What an ingress gateway pays while nothing is wrong for a Group that declares what it bears, how it spills
// and how it comes home: `node bench/capacity.ts [--rounds N] [--requests N]`. CPU time of the Envoy process
// for each request, beside that of a gateway of the same Group with nothing declared; a third gateway, with
// nothing declared either, tells what the machine adds.
import { parseArgs } from 'node:util';
import type { ListenAddress } from '../src/model/values/listen-address.ts';
import { type Patched, startPatched, withoutTrailFilters } from '../test/support/envoys/patched.ts';
import { freeAddress } from '../test/support/mesh.ts';
import { conclude } from './support/conclude.ts';
import { figure, table, type Verdict } from './support/table.ts';
import { answeringServer, Callers, cpuUs, requestText } from './wasm/load.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '200' },
    requests: { type: 'string', default: '1000' },
  },
});

/** The limit of its cost, as a ratio. */
const bound = 1.02;
const connections = 8;
const host = 'checkout.example';

const everything = `
  capacity: {concurrentPerInstance: 200}
  spill: {share: 50%}
  class: critical
  failback: {ramp: 30s, hold: 10s}`;

/** A gateway and its callers. */
interface Lane {
  readonly name: string;
  readonly gateway: Patched;
  /** Own users, and other IDCs' requests. */
  readonly callers: { readonly edge: Callers; readonly peer: Callers };
}

const upstream = await answeringServer();
const lanes = [
  await startLane('nothing declared', ''),
  await startLane('nothing declared, again', ''),
  await startLane('capacity, spill, class, failback', everything),
];
const request = requestText({ host });
const ratios = new Map<string, number[]>();
const costs = new Map<string, number[]>();
try {
  for (const { callers } of lanes) for (const one of Object.values(callers)) await one.send(request, 2_000);
  for (let round = 0; round < Number(values.rounds); round += 1)
    for (const entrance of ['edge', 'peer'] as const) await measure(entrance, round);
} finally {
  for (const { callers, gateway } of lanes) {
    for (const one of Object.values(callers)) one.close();
    await gateway.close();
  }
  upstream.server.close();
}

const rows = [...ratios].map(([name, list]) => ({
  name,
  ratio: median(list),
  cpu: median(costs.get(name) ?? []),
}));
const bounds = rows.map(
  ({ name, ratio }): Verdict => ({
    what: name.includes('again') ? `${name}: how far from 1 (more: too busy a machine to tell)` : name,
    bound: name.includes('again') ? figure(bound - 1).toString() : bound.toString(),
    measured: (name.includes('again') ? Math.abs(ratio - 1) : ratio).toFixed(3),
    met: name.includes('again') ? Math.abs(ratio - 1) <= bound - 1 : ratio <= bound,
  }),
);
const shown = table<(typeof rows)[number]>(
  [
    ['an ingress gateway', ({ name }) => name],
    ['CPU µs a request', ({ cpu }) => figure(cpu)],
    ['ratio', ({ ratio }) => ratio.toFixed(3)],
  ],
  rows,
);
console.log(`\n${shown}`);
conclude(bounds);

/** Each lane after the base, in every second round before it, so that neither always runs second. */
async function measure(entrance: 'edge' | 'peer', round: number): Promise<void> {
  const [base, ...others] = lanes as [Lane, ...Lane[]];
  for (const lane of others) {
    const first = round % 2 === 0 ? await cpuOf(lane, entrance) : 0;
    const without = await cpuOf(base, entrance);
    const cpu = round % 2 === 0 ? first : await cpuOf(lane, entrance);
    const name = `${entrance}: ${lane.name}`;
    ratios.set(name, [...(ratios.get(name) ?? []), cpu / without]);
    costs.set(name, [...(costs.get(name) ?? []), cpu]);
  }
}

/** CPU time of one request, in microseconds. */
async function cpuOf({ gateway, callers }: Lane, entrance: 'edge' | 'peer'): Promise<number> {
  const requests = Number(values.requests);
  const before = cpuUs(gateway.envoy.pid);
  await callers[entrance].send(request, requests);
  return (cpuUs(gateway.envoy.pid) - before) / requests;
}

async function startLane(name: string, declared: string): Promise<Lane> {
  const [edge, peer] = [await freeAddress(), await freeAddress()];
  const gateway = await startPatched({
    scope: { role: 'ingress', idc: 'sh-b', edge, peer },
    yaml: objects(edge, peer, declared),
    patch: withoutTrailFilters,
  });
  const open = ({ port }: ListenAddress) => Callers.open(port, connections);
  return { name, gateway, callers: { edge: await open(edge), peer: await open(peer) } };
}

function objects(edge: ListenAddress, peer: ListenAddress, declared: string): string {
  return `
apiVersion: isthmus.dev/v1alpha1
kind: Idc
metadata: {name: sh-b}
spec:
  ingress: [{address: ${edge.address}, edgePort: ${edge.port}, peerPort: ${peer.port}}]
  egress: [{address: 127.0.0.1, sidecarPort: 3, ingressPort: 4}]
---
apiVersion: isthmus.dev/v1alpha1
kind: Idc
metadata: {name: sh-a}
spec:
  ingress: [{address: 127.0.0.1, edgePort: 1, peerPort: 2}]
  egress: [{address: 127.0.0.1, sidecarPort: 5, ingressPort: 6}]
---
apiVersion: isthmus.dev/v1alpha1
kind: DrGroup
metadata: {name: all}
spec:
  hosts: [${host}]
  idcs: [{name: sh-a}, {name: sh-b}]${declared}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: checkout, namespace: test}
spec:
  hosts: [${host}]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{number: 80, name: main, protocol: HTTP}]
  endpoints: [{address: 127.0.0.1, ports: {main: ${upstream.port}}, locality: sh-b}]
`;
}

function median(list: readonly number[]): number {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
