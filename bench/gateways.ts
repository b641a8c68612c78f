// What a gateway costs with many Groups, and what health checks through gateways cost: `node
// bench/gateways.ts [--json FILE]`.
import { Agent, request } from 'node:http';
import { parseArgs } from 'node:util';
import { sleep, systemClock } from '../src/base/clock.ts';
import type { ListenAddress } from '../src/model/values/listen-address.ts';
import { measurePlainEnvoy } from './gateways/plain.ts';
import { type GatewayWorld, type Size, startGatewayWorld } from './gateways/world.ts';
import { conclude } from './support/conclude.ts';
import { atMostTimes } from './support/floor.ts';
import { thisMachine } from './support/machine.ts';
import { cpuMs, residentMiB } from './support/process.ts';
import { keepJson } from './support/results.ts';
import { atMost, figure, table, verdicts } from './support/table.ts';

const { values } = parseArgs({
  options: {
    groups: { type: 'string', default: '5000' },
    checked: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '20' },
    json: { type: 'string', default: '.cache/bench/gateways.json' },
  },
});

interface SizeRow {
  readonly groups: number;
  readonly drGroups: number;
  readonly idcs: number;
  readonly hopLimit: number;
  /** From the start of a gateway's process until it was ready; and the processor time that it took. */
  readonly ingressFillS: number;
  readonly egressFillS: number;
  readonly egressFillCpuS: number;
  readonly ingressMiB: number;
  readonly egressMiB: number;
  /** CPU of the gateway for one request, in µs, median of the rounds. */
  readonly ingressUs: number;
  readonly egressUs: number;
}

interface CheckRow {
  readonly groups: number;
  readonly checked: boolean;
  /** Percent of one processor, without any request. */
  readonly egressPercent: number;
  readonly remoteIngressPercent: number;
  /** The same while the egress is stopped: its own checks of instances alone. */
  readonly alonePercent: number;
  readonly egressMiB: number;
  readonly remoteIngressMiB: number;
}

const one: Size = { groups: 1, drGroups: 1, idcs: 2, hopLimit: 1, checked: false };
const many: Size = { groups: Number(values.groups), drGroups: 200, idcs: 6, hopLimit: 4, checked: false };

/** Bounds, as ratios to the floors of the same run (decision 185). */
const ratios = { fillCpu: 2.8, resident: 4.2, checks: 1.5 };

const sizes = await measureSizes([one, many]);
const plain = await measurePlainEnvoy(many.groups);
const checks: CheckRow[] = [];
for (const checked of [false, true]) checks.push(await measureChecks(Number(values.checked), checked));

const sizeTable = table<SizeRow>(
  [
    ['Groups', (row) => row.groups],
    ['DR groups', (row) => row.drGroups],
    ['IDCs', (row) => row.idcs],
    ['hop limit', (row) => row.hopLimit],
    ['ingress fill s', (row) => figure(row.ingressFillS)],
    ['egress fill s', (row) => figure(row.egressFillS)],
    ['of it CPU s', (row) => figure(row.egressFillCpuS)],
    ['ingress MiB', (row) => Math.round(row.ingressMiB)],
    ['egress MiB', (row) => Math.round(row.egressMiB)],
    ['ingress µs', (row) => figure(row.ingressUs)],
    ['egress µs', (row) => figure(row.egressUs)],
  ],
  sizes,
);
const checkTable = table<CheckRow>(
  [
    ['Groups', (row) => row.groups],
    ['checked', (row) => (row.checked ? 'yes' : 'no')],
    ['egress CPU %', (row) => figure(row.egressPercent)],
    ['remote ingress CPU %', (row) => figure(row.remoteIngressPercent)],
    ['without egress %', (row) => figure(row.alonePercent)],
    ['egress MiB', (row) => Math.round(row.egressMiB)],
    ['remote ingress MiB', (row) => Math.round(row.remoteIngressMiB)],
  ],
  checks,
);
const full = sizes.at(-1);
const checked = checks.at(-1);
const bounds = [
  // In an Envoy with as many plain clusters and routes from a file, and in the checks of its own instances.
  ...atMostTimes(
    'egress of many Groups: CPU until full',
    full?.egressFillCpuS,
    plain.fillCpuS,
    ratios.fillCpu,
  ),
  ...atMostTimes('egress of many Groups: resident', full?.egressMiB, plain.residentMiB, ratios.resident),
  ...atMostTimes('ingress of many Groups: resident', full?.ingressMiB, plain.residentMiB, ratios.resident),
  ...atMostTimes(
    'checked from another IDC: remote ingress, in its own checks',
    checked?.remoteIngressPercent,
    checked?.alonePercent,
    ratios.checks,
  ),
  // Absolute by their nature: what a container may have, and how long a fleet waits.
  ...atMost('egress of many Groups: fill', full?.egressFillS, 10, 's'),
  ...atMost('ingress of many Groups: fill', full?.ingressFillS, 10, 's'),
  ...atMost('egress of many Groups: resident', full?.egressMiB, 400, 'MiB'),
  ...atMost('checked from another IDC: remote ingress', checked?.remoteIngressPercent, 5, '%'),
  ...atMost(
    'of it due to the other IDC',
    checked && checked.remoteIngressPercent - checked.alonePercent,
    1.5,
    '%',
  ),
];
const plainLine = `An Envoy with ${many.groups} plain clusters from a file: ${figure(plain.fillS)} s, of it CPU ${figure(plain.fillCpuS)} s, ${Math.round(plain.residentMiB)} MiB.`;
console.log(`\n${sizeTable}\n\n${plainLine}\n\n${checkTable}`);
conclude(bounds);
keepJson(values.json, {
  ...{ machine: thisMachine(), sizes, plain, checks, bounds },
  tables: [sizeTable, plainLine, checkTable, verdicts(bounds)],
});

/** Both sizes at once, with requests in turn, so that disturbances affect both alike. */
async function measureSizes(list: readonly Size[]): Promise<SizeRow[]> {
  const worlds: GatewayWorld[] = [];
  for (const size of list) {
    process.stderr.write(`${size.groups} Groups … `);
    const world = await startGatewayWorld(size);
    worlds.push(world);
    process.stderr.write(`filled in ${figure(world.fillS.egress)} s\n`);
  }
  const costs = worlds.map(() => ({ ingress: [] as number[], egress: [] as number[] }));
  for (let round = 0; round < 6; round++) {
    for (const [i, world] of worlds.entries()) {
      const ingress = await cost(world.pids.ingress, world.edge, world.hosts);
      const egress = await cost(world.pids.egress, world.sidecar, world.hosts);
      // The first round warms connections.
      if (round === 0) continue;
      costs[i]?.ingress.push(ingress);
      costs[i]?.egress.push(egress);
    }
  }
  const rows = worlds.map(({ fillS, pids }, i): SizeRow => {
    const size = list[i] as Size;
    return {
      groups: size.groups,
      drGroups: size.drGroups,
      idcs: size.idcs,
      hopLimit: size.hopLimit,
      ingressFillS: fillS.ingress,
      egressFillS: fillS.egress,
      egressFillCpuS: fillS.egressCpu,
      ingressMiB: residentMiB(pids.ingress),
      egressMiB: residentMiB(pids.egress),
      ingressUs: median(costs[i]?.ingress ?? []),
      egressUs: median(costs[i]?.egress ?? []),
    };
  });
  for (const world of worlds) await world.close();
  return rows;
}

/** Gateways without requests, with and without health checks. */
async function measureChecks(groups: number, checked: boolean): Promise<CheckRow> {
  process.stderr.write(`${groups} Groups ${checked ? 'checked' : 'not checked'} in the other IDC …\n`);
  const size = { groups, drGroups: 1, idcs: 2, hopLimit: 1, checked };
  const world = await startGatewayWorld(size);
  const { egress, remoteIngress } = world.pids;
  // The first checks are spread over a second; meanwhile all clusters warm.
  await sleep(systemClock, 5_000);
  const [egressPercent = 0, remoteIngressPercent = 0] = await percents([egress, remoteIngress]);
  process.kill(egress, 'SIGSTOP');
  const [alonePercent = 0] = await percents([remoteIngress]);
  const row = {
    groups,
    checked,
    egressPercent,
    remoteIngressPercent,
    alonePercent,
    egressMiB: residentMiB(egress),
    remoteIngressMiB: residentMiB(remoteIngress),
  };
  await world.close();
  return row;
}

/** Percent of one processor that each process uses, over some seconds. */
async function percents(pids: readonly number[]): Promise<number[]> {
  const before = pids.map(cpuMs);
  const from = performance.now();
  await sleep(systemClock, Number(values.seconds) * 1_000);
  const ms = performance.now() - from;
  return pids.map((pid, i) => ((cpuMs(pid) - (before[i] ?? 0)) / ms) * 100);
}

/**
 * CPU of process `pid` for one request, in µs. To few hosts, whatever the number of Groups: connections stay
 * open.
 */
async function cost(pid: number, to: ListenAddress, hosts: readonly string[]): Promise<number> {
  const requests = 2_000;
  const step = Math.max(1, Math.floor(hosts.length / 8));
  const asked = hosts.filter((_, i) => i % step === 0);
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const before = cpuMs(pid);
  let next = 0;
  const client = async () => {
    while (next < requests) await ask(agent, to, asked[next++ % asked.length] as string);
  };
  await Promise.all(Array.from({ length: 8 }, client));
  agent.destroy();
  return ((cpuMs(pid) - before) / requests) * 1e3;
}

function ask(agent: Agent, to: ListenAddress, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: to.address, port: to.port, agent, headers: { host } }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${host}: ${response.statusCode}`));
      response.resume();
      response.on('end', resolve);
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end();
  });
}

function median(list: readonly number[]): number {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
