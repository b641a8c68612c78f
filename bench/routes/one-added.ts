import { sleep, systemClock } from '../../src/base/clock.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { freeAddress, get, startMesh, until } from '../../test/support/mesh.ts';
import { median } from '../support/median.ts';
import { residentMiB } from '../support/process.ts';
import { answeringServer, cpuUs } from '../wasm/load.ts';
import { groupFile, meshFile } from './groups.ts';

/** What one added Group costs a real sidecar that has so many. */
export interface AddedRow {
  readonly groups: number;
  /** What comes from the control plane, in bytes. */
  readonly bytes: number;
  /** Processor time of Envoy for it, less that of as long without a change, in ms. */
  readonly cpuMs: number;
  /** Processor time of Envoy without a change, in ms a second. */
  readonly idleMs: number;
  readonly residentMiB: number;
  /** How much more was resident after all changes than before, a Group, in MiB. */
  readonly growthMiB: number;
}

// An Envoy counts and flushes each 5 s: a window of that length has as much of it as any other.
const windowMs = 5_000;

/** A control plane in this process, a real sidecar of all Groups, and Groups added one after the other. */
export async function measureAdded(groups: number, changes: number): Promise<AddedRow> {
  const upstream = await answeringServer();
  const mesh = await startMesh('sh-a', { 'all.yaml': meshFile(groups, upstream.port) });
  try {
    const outbound = await freeAddress();
    const scope = { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound } as const;
    const { pid, admin } = await mesh.envoy('caller', scope, { readyTimeoutMs: 300_000 });
    const add = async (host: string) => {
      mesh.save(`${host}.yaml`, groupFile(host, upstream.port));
      await sleep(systemClock, windowMs);
      await until(`${host} is served`, async () => (await get(outbound, '/', { host })).status === 200);
    };
    // The first is not counted: what a process does once, it does then.
    await add('first.bench');
    const before = residentMiB(pid);
    const samples: { bytes: number; cpuMs: number; idleMs: number }[] = [];
    for (let i = 0; i < changes; i += 1) {
      const idleMs = (await spent(pid, () => sleep(systemClock, windowMs))) / 1000;
      const from = await received(admin);
      const all = await spent(pid, () => add(`added-${i}.bench`));
      const to = await received(admin);
      samples.push({ bytes: to - from, cpuMs: all / 1000 - idleMs, idleMs });
    }
    const middle = (of: (sample: (typeof samples)[number]) => number) => median(samples.map(of));
    return {
      groups,
      bytes: middle(({ bytes }) => bytes),
      cpuMs: middle(({ cpuMs }) => cpuMs),
      idleMs: middle(({ idleMs }) => idleMs) / (windowMs / 1000),
      residentMiB: residentMiB(pid),
      growthMiB: (residentMiB(pid) - before) / changes,
    };
  } finally {
    await mesh.close();
    upstream.server.close();
  }
}

/** Processor time of a process while something happens, in microseconds. */
async function spent(pid: number, what: () => Promise<unknown>): Promise<number> {
  const before = cpuUs(pid);
  await what();
  return cpuUs(pid) - before;
}

/** Bytes that an Envoy has received from its control plane. */
async function received(admin: ListenAddress): Promise<number> {
  const { body } = await get(admin, '/stats?filter=^cluster.isthmus.*upstream_cx_rx_bytes_total');
  return [...body.matchAll(/: (\d+)/g)].reduce((sum, [, bytes]) => sum + Number(bytes), 0);
}
