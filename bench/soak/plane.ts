import { systemClock as clock, sleep } from '../../src/base/clock.ts';
import { until } from '../../test/support/mesh.ts';
import { groupYaml } from '../../test/support/objects-yaml.ts';
import { collectable, type Served, startServe, usageOf } from '../../test/support/planes/served.ts';
import { registerInstance } from '../support/registering.ts';
import { addressOf, type Clients, instances, startClients } from './clients.ts';
import { readKept } from './tables.ts';

/** A control plane, clients that stay, and instances that change. */
export interface SoakedPlane {
  readonly served: Served;
  readonly clients: Clients;
  /** Changes that the API refused. */
  readonly failures: readonly string[];
  sample(): Promise<Sample>;
  close(): Promise<void>;
}

/** Memory of the process after garbage collection, in bytes. */
export interface Sample {
  readonly heap: number;
  /** V8's heap, including free parts and young memory. */
  readonly heapTotal: number;
  readonly external: number;
  readonly rss: number;
  readonly files: number;
  /** Its gauges. */
  readonly kept: ReadonlyMap<string, number>;
}

/** Options of its process. */
export interface SoakedOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** The folder for heap snapshots on SIGWINCH. */
  readonly snapshots?: string;
}

/** Starts it; an instance changes every `changeMs`. Resolves when all clients have all resources. */
export async function startSoaked(
  count: number,
  changeMs: number,
  { env = {}, snapshots }: SoakedOptions = {},
): Promise<SoakedPlane> {
  const diagnosed =
    snapshots === undefined ? [] : ['--heapsnapshot-signal=SIGWINCH', `--diagnostic-dir=${snapshots}`];
  const node = [...collectable, ...diagnosed];
  const served = await startServe({ files: { 'echo.yaml': groupYaml('echo') }, node, env });
  const changes = Array.from({ length: instances }, () => 1);
  const failures: string[] = [];
  const put = (instance: number) =>
    registerInstance(served, instance, addressOf(instance, changes[instance] as number));
  await served.ready();
  for (let i = 0; i < instances; i += 1) await put(i);
  const clients = startClients(served.xds, count);
  await until('all clients have all', () => clients.complete() === count);
  let [turn, open] = [0, true];
  const changing = (async () => {
    while (open) {
      await sleep(clock, changeMs);
      const instance = turn % instances;
      turn += 1;
      changes[instance] = (changes[instance] as number) + 1;
      clients.begin(instance, changes[instance] as number);
      await put(instance).catch((error: Error) => failures.push(error.message));
    }
  })();
  return {
    ...{ served, clients, failures },
    async sample() {
      served.kill('SIGUSR2');
      await sleep(clock, 1_000);
      const page = await served.page('/metrics');
      const of = (name: string) => Number(new RegExp(`^${name}\\S* (\\S+)`, 'm').exec(page)?.[1]);
      const { rssBytes, files } = usageOf(served.pid);
      return {
        ...{ heap: of('nodejs_heap_size_used_bytes'), heapTotal: of('nodejs_heap_size_total_bytes') },
        ...{ external: of('nodejs_external_memory_bytes'), rss: rssBytes, files },
        kept: readKept(page),
      };
    },
    async close() {
      open = false;
      await changing;
      clients.close();
      await served.close();
    },
  };
}
