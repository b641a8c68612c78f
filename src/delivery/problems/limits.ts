import type { Finding } from '../../model/finding.ts';
import type { FindingCode } from '../../model/finding-codes.ts';
import type { NodeScope } from '../../model/node.ts';

/** Which limits there are. */
export interface KnownLimits {
  hasLimits(): boolean;
  /** Hosts that could have a limit and have none. */
  withoutLimit(): readonly string[];
}

/** Hosts named in a message at most. */
const namedMax = 5;

/**
 * Problems: hosts without a limit, and ingress gateways that get limits with their clusters because their
 * bootstraps have no runtime layer. One problem of each kind.
 */
export function describeLimits(
  proxies: readonly { readonly node: string; readonly scope: NodeScope }[],
  limits: KnownLimits,
): readonly Finding[] {
  const old = proxies.filter(({ scope }) => scope.role === 'ingress' && scope.runtime !== true);
  const hosts = limits.withoutLimit();
  const finding = (code: FindingCode, where: string, message: string): Finding => {
    return { code, severity: 'warning', where, path: '', message };
  };
  return [
    ...(hosts.length === 0 ? [] : [finding('CapacityUnknown', named(hosts), unboundedMessage)]),
    ...(limits.hasLimits() && old.length > 0
      ? [finding('OldBootstrap', named([...new Set(old.map(({ node }) => node))].sort()), oldMessage)]
      : []),
  ];
}

const unboundedMessage =
  'this IDC takes whatever others cannot serve, and may fall with them: nobody has said what an instance bears. Give capacity.concurrentPerInstance on the DrGroup or the Idc; `isthmus capacity --envoy HOST:PORT --for 10m` suggests a value by what instances have in work.';

const oldMessage =
  'its bootstrap has no runtime layer, so each change of a spill limit renews its connections to the instances. Write it anew with `isthmus bootstrap`, and restart the Envoy.';

function named(all: readonly string[]): string {
  const more = all.length > namedMax ? ` and ${all.length - namedMax} more` : '';
  return `${all.slice(0, namedMax).join(', ')}${more}`;
}
