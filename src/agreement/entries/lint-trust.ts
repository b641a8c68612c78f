import type { Idc } from '../../model/idc.ts';
import type { Lint } from '../lint.ts';

/** One trust domain for two IDCs: told for all but the first by name. */
export function lintTrust(idcs: readonly Idc[]): Lint[] {
  const first = new Map<string, Idc>();
  const byName = [...idcs].sort((a, b) => (a.meta.name < b.meta.name ? -1 : 1));
  return byName.flatMap((idc): Lint[] => {
    const { trustDomain } = idc.spec;
    if (trustDomain === undefined) return [];
    const other = first.get(trustDomain);
    if (other === undefined) {
      first.set(trustDomain, idc);
      return [];
    }
    const message = `${trustDomain} is the trust domain of Idc ${other.meta.name} too: the authority of one could issue certificates for the other. Give each its own.`;
    return [{ code: 'SharedTrustDomain', object: idc, path: ['spec', 'trustDomain'], message }];
  });
}
