import type { Idc } from '../../model/idc.ts';
import type { NodeScope } from '../../model/node.ts';
import { planPassthrough } from '../../plan/passthrough.ts';
import type { OtherHosts } from './route.ts';

/** Whether a scope passes requests for unknown hosts through. */
export function passesUnknown(scope: NodeScope): boolean {
  return scope.role === 'sidecar' && scope.outbound !== undefined && scope.unknownHosts === 'pass';
}

/** How a scope handles hosts of none of its Groups; `declared`: hosts of all Groups. */
export function otherHostsOf(
  scope: NodeScope,
  idcs: ReadonlyMap<string, Idc>,
  declared: () => readonly string[],
): OtherHosts | undefined {
  if (scope.role !== 'sidecar') return undefined;
  const passthrough = planPassthrough(scope, idcs);
  return passesUnknown(scope) ? { passthrough, declared: declared() } : { passthrough };
}
