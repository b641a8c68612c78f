import { arch, availableParallelism, cpus, release, totalmem } from 'node:os';
import type { EnvoyBinary } from '../world/envoy.ts';
import { sourceVersion } from './source-version.ts';
import type { Usage } from './usage.ts';

/** On what a drill ran: figures mean little without it. */
export type Environment = Readonly<Record<string, string>>;

/** `0.4 in steady, 1.1 in outage, …`. */
export function usageText(usage: readonly Usage[], pick: (usage: Usage) => number): string {
  return usage.map((each) => `${pick(each).toFixed(1)} in ${each.phase}`).join(', ');
}

/** Describes this machine and the versions in use, for a report. */
export function environmentOf(envoy: EnvoyBinary, usage: readonly Usage[], nice: number): Environment {
  return {
    Isthmus: sourceVersion(),
    Envoy: envoy.version,
    'Node.js': process.versions.node,
    Linux: `${release()} (${arch()})`,
    Processors: `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    Memory: `${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
    'Priority of the drill': nice < 0 ? `raised (nice ${nice})` : `nice ${nice}`,
    'Processors used by the drill': usageText(usage, (u) => u.drill),
    'Processors used by others': usageText(usage, (u) => u.others),
  };
}
