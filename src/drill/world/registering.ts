import { entryPoint, type ProcessSpec } from '../process/process.ts';
import type { IdcPlan, InstancePlan } from './topology.ts';

/**
 * An instance's application under `isthmus run`, which registers it with its IDC's control plane; `more` are
 * further arguments of `isthmus run`.
 */
export function commandUnderRun(
  spec: ProcessSpec,
  { name, idc, inbound, group }: InstancePlan,
  { controlAdmin: admin }: IdcPlan,
  tokenFile: string,
  more: readonly string[],
): ProcessSpec {
  const flags = [
    ['--group', group.name, '--namespace', 'shop', '--name', name],
    ['--address', inbound.address, '--port', String(inbound.port), '--locality', `${idc}/zone-1`],
    // Through its sidecar, as callers do.
    ['--health', '/healthz'],
    ['--admin', `${admin.address}:${admin.port}`, '--token-file', tokenFile],
  ].flat();
  return {
    ...spec,
    args: [entryPoint('../cli/main'), 'run', ...flags, ...more, '--', spec.command, ...spec.args],
  };
}
