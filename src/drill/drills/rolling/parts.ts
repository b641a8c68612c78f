import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessSpec } from '../../process/process.ts';
import type { Part, PartsContext } from '../../world/parts.ts';
import { commandUnderRun } from '../../world/registering.ts';
import { type InstancePlan, idcOf } from '../../world/topology.ts';

/** The Group whose instances register themselves, and are replaced. */
export const rolledGroup = 'checkout';

/** The token of the drill's control planes, which listen on loopback, for as long as it lasts. */
const token = 'rolling drill, loopback only';

/**
 * How long an instance works on a request, in milliseconds: so that some are always on their way, and one
 * that is ended without waiting loses them. Far less than `isthmus run` lingers.
 */
const workMs = 25;

/** Whether a part is an instance that is replaced. */
export function isRolled(part: Part): boolean {
  return part.kind === 'app' && (part.proxy as InstancePlan).group.name === rolledGroup;
}

/**
 * The world with registrations: each control plane keeps some, and the Group's applications run under
 * `isthmus run` instead of standing in the registry's folder. `wait` off: the signal is passed on without
 * waiting for proxies.
 */
export function registeringParts(
  parts: readonly Part[],
  context: PartsContext,
  wait: boolean,
): readonly Part[] {
  const { topology, paths } = context;
  const tokenFile = join(paths.dir, 'token');
  writeFileSync(tokenFile, token, { mode: 0o600 });
  for (const idc of topology.idcs) {
    for (const instance of idc.instances.filter(({ group }) => group.name === rolledGroup))
      rmSync(join(paths.registry(idc.name), `workloadentry-${instance.name}.yaml`));
  }
  return parts.map((part) => {
    if (part.kind === 'control') {
      const file = join(paths.dir, `registrations-${part.idc}.db`);
      return {
        ...part,
        spec: withArgs(part.spec, ['--registrations', file, '--admin-token-file', tokenFile]),
      };
    }
    if (!isRolled(part)) return part;
    const instance = part.proxy as InstancePlan;
    const more = wait ? [] : ['--no-wait'];
    const spec = commandUnderRun(working(part.spec), instance, idcOf(topology, part.idc), tokenFile, more);
    return { ...part, spec };
  });
}

function withArgs(spec: ProcessSpec, more: readonly string[]): ProcessSpec {
  return { ...spec, args: [...spec.args, ...more] };
}

/** The application with time to work on each request. */
function working(spec: ProcessSpec): ProcessSpec {
  const [entry = '', options = '{}', ...more] = spec.args;
  return { ...spec, args: [entry, JSON.stringify({ ...JSON.parse(options), workMs }), ...more] };
}
