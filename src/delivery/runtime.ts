import type { NodeScope } from '../model/node.ts';

/** Ingress gateways whose bootstrap is too old for something, in the form of a problem. */
export interface RuntimeProblem {
  readonly severity: 'warning';
  readonly where: string;
  readonly path: '';
  readonly message: string;
}

/** Ingress gateways that get limits with their clusters, as their bootstraps have no runtime layer: one problem for all. */
export function describeRuntime(
  proxies: readonly { readonly node: string; readonly scope: NodeScope }[],
): readonly RuntimeProblem[] {
  const old = proxies.filter(({ scope }) => scope.role === 'ingress' && scope.runtime !== true);
  if (old.length === 0) return [];
  const names = [...new Set(old.map(({ node }) => node))].sort().join(', ');
  const message =
    'its bootstrap has no runtime layer, so each change of a spill limit renews its connections to the instances. Write it anew with `isthmus bootstrap`, and restart the Envoy.';
  return [{ severity: 'warning', where: names, path: '', message }];
}
