import type { DestinationRule, ServiceEntry } from '../../model/service.ts';
import { isWildcard, meaningsOf, patternCovers } from '../../model/values/hostname.ts';
import type { Lint } from '../lint.ts';

/**
 * Rules with TLS for hosts resolved by request: proxies do not originate TLS there, and the port is refused
 * (`plan/group.ts`).
 */
export function lintByName(entries: readonly ServiceEntry[], rules: readonly DestinationRule[]): Lint[] {
  const dialled = entries.filter(
    ({ spec }) => spec.resolution === 'NONE' || spec.resolution === 'DYNAMIC_DNS',
  );
  const hosts = new Set(dialled.flatMap(({ spec }) => spec.hosts.filter(isWildcard)));
  return rules.flatMap((object): Lint[] => {
    const { policy, portPolicies, host } = object.spec;
    const asks = [policy, ...Object.values(portPolicies)].some(({ tls }) => tls !== undefined);
    const patterns = meaningsOf(host, object.meta.namespace);
    const found = [...hosts].find((one) => patterns.some((pattern) => patternCovers(pattern, one)));
    if (!asks || found === undefined) return [];
    const message = `${found} is resolved for each request, and no proxy speaks TLS there: requests are refused with a 404. Declare the hosts one by one, with resolution DNS.`;
    return [{ code: 'TlsNotSpoken', object, path: ['spec', 'trafficPolicy', 'tls'], message }];
  });
}
