import { arch, availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import type { EnvoyBinary } from './envoy.ts';

/** On what a drill ran: figures mean little without it. */
export type Environment = Readonly<Record<string, string>>;

/** Describes this machine and the versions in use, for a report. */
export function environmentOf(envoy: EnvoyBinary): Environment {
  return {
    Envoy: envoy.version,
    'Node.js': process.versions.node,
    Linux: `${release()} (${arch()})`,
    Processors: `${availableParallelism()} × ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    Memory: `${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
    'Load average at the end': loadavg()
      .map((value) => value.toFixed(1))
      .join(', '),
  };
}
