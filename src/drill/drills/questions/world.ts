import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { clustersField, nodeMetadataKey } from '../../../model/node.ts';
import type { Part, PartsContext } from '../../world/parts.ts';
import { proxiesOf, type WorldPlan } from '../../world/topology.ts';
import { halfDead, whole } from './names.ts';

const healthy = { [halfDead]: 1, [whole]: 1 };

/** A Group for each thing that happens. */
export const questionsWorld: WorldPlan = {
  idcs: [halfDead, whole],
  groups: [
    // Two of three instances die.
    { name: 'checkout', instances: { [halfDead]: 3, [whole]: 1 } },
    // All of them die.
    { name: 'catalog', instances: healthy },
    // One of two deregisters.
    { name: 'orders', instances: { [halfDead]: 2, [whole]: 1 }, registers: true },
    // Half of it is evacuated.
    { name: 'stock', instances: healthy },
    // A proxy refuses its listener.
    { name: 'ledger', instances: healthy, protocol: 'TCP' },
  ],
};

/** Control planes keep evacuations. `canRead` off: proxies do not say where their admin interfaces are. */
export function questionsParts(
  parts: readonly Part[],
  { paths, topology }: PartsContext,
  canRead: boolean,
): readonly Part[] {
  if (!canRead) for (const proxy of proxiesOf(topology)) hideAdmin(paths.bootstrap(proxy));
  return parts.map((part) => {
    if (part.kind !== 'control') return part;
    const more = ['--state', join(paths.dir, `state-${part.idc}`)];
    return { ...part, spec: { ...part.spec, args: [...part.spec.args, ...more] } };
  });
}

function hideAdmin(bootstrapFile: string): void {
  const bootstrap = JSON.parse(readFileSync(bootstrapFile, 'utf8'));
  delete bootstrap.node.metadata[nodeMetadataKey][clustersField];
  writeFileSync(bootstrapFile, JSON.stringify(bootstrap));
}
