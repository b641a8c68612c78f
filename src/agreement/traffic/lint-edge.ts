import type { Idc } from '../../model/idc.ts';
import type { Lint } from '../lint.ts';

/** Edges that trust anybody who reaches them with the client's identity. */
export function lintEdge(idcs: readonly Idc[]): Lint[] {
  return idcs.flatMap((object): Lint[] => {
    const { proxyProtocol, trustedProxies } = object.spec.edge ?? {};
    const found = (field: string, what: string): Lint[] => [
      {
        code: 'AnyoneIsBelieved',
        object,
        path: ['spec', 'edge', field],
        message: `has no trustedProxies.from, so whoever reaches the edge ${what}: name the addresses that the proxies connect from.`,
      },
    ];
    if (trustedProxies?.from !== undefined && trustedProxies.hops === 0 && proxyProtocol === undefined) {
      const message =
        'has no effect: `hops` is 0, so no proxy is trusted. Give the number of proxies in a row.';
      return [{ code: 'NoEffect', object, path: ['spec', 'edge', 'trustedProxies', 'from'], message }];
    }
    if (trustedProxies?.from !== undefined) return [];
    if (proxyProtocol !== undefined) return found('proxyProtocol', 'sets its own identity by PROXY protocol');
    return (trustedProxies?.hops ?? 0) > 0 ? found('trustedProxies', 'is trusted in X-Forwarded-*') : [];
  });
}
