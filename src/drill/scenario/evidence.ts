import { readFileSync } from 'node:fs';
import { readStats } from '../world/envoy.ts';
import type { Stage } from '../world/stage.ts';
import type { IdcPlan, Topology } from '../world/topology.ts';

/** Lookups of names that have failed so far, at the callers and ingress gateways that answer. */
export async function readFailedLookups({ idcs }: Topology): Promise<number> {
  const all = idcs.flatMap(({ caller, ingress }) => [caller, ...ingress]);
  const counts = await Promise.all(
    all.map(({ admin }) =>
      readStats(admin, '^cluster\\.instances/.*\\.update_failure$').catch(() => new Map<string, number>()),
    ),
  );
  return counts.flatMap((stats) => [...stats.values()]).reduce((sum, count) => sum + count, 0);
}

/** Ejections so far of instances of an IDC, by its own caller and ingress gateways that answer. */
export async function readEjected({ caller, ingress }: IdcPlan): Promise<number> {
  const counts = await Promise.all(
    [caller, ...ingress].map(({ admin }) =>
      readStats(admin, '^cluster\\.instances/.*ejections_enforced_total$').catch(
        () => new Map<string, number>(),
      ),
    ),
  );
  return counts.flatMap((stats) => [...stats.values()]).reduce((sum, each) => sum + each, 0);
}

/** What a control plane logs when it cannot write. */
const words = ['registrations could not be written', 'last good state not written'] as const;

/** How often control planes have logged so. */
export function countFailedWrites({ world, paths }: Pick<Stage, 'world' | 'paths'>): number {
  return world.parts
    .filter(({ kind }) => kind === 'control')
    .flatMap(({ spec }) => readFileSync(paths.log(spec.name), 'utf8').split('\n'))
    .filter((line) => words.some((each) => line.includes(each))).length;
}
