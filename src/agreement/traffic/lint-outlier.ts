import type { TrafficPolicy } from '../../model/service.ts';
import type { PathPart } from '../../model/values/field-path.ts';
import { splitLocality } from '../../model/values/locality.ts';
import type { Lint } from '../lint.ts';
import type { Mesh } from '../mesh.ts';

/** Istio's default percentage. */
const percentDefault = 10;

/**
 * Rules without effect: Envoy ejects while (ejected + 1) / instances stays within `maxEjectionPercent`, and
 * Istio's 10 % of fewer than ten instances is none. `selects`: whether a ServiceEntry selects a
 * WorkloadEntry.
 */
export function lintOutlier(mesh: Pick<Mesh, 'rules' | 'entriesOf' | 'selectedBy'>): Lint[] {
  return mesh.rules.flatMap((object) => {
    const check = ({ outlier }: TrafficPolicy, path: readonly PathPart[]): Lint[] => {
      if (outlier === undefined) return [];
      const { consecutive5xxErrors, consecutiveGatewayErrors, splitExternalLocalOriginErrors } = outlier;
      // With all detectors off no ejection is intended.
      if (consecutive5xxErrors === 0 && !consecutiveGatewayErrors && !splitExternalLocalOriginErrors)
        return [];
      const most = mostInOneIdc(object.spec.host, mesh);
      const percent = outlier.maxEjectionPercent || percentDefault;
      if (most === 0 || Math.floor((most * percent) / 100) > 0) return [];
      const message = `ejects nobody: ${percent} % of the ${most} instances that an IDC has at most is less than one. Give at least ${Math.ceil(100 / most)}.`;
      return [{ code: 'EjectsNobody', object, path, message, lacks: ['ServiceEntry', 'WorkloadEntry'] }];
    };
    return [
      ...check(object.spec.policy, ['spec', 'trafficPolicy', 'outlierDetection']),
      ...Object.values(object.spec.portPolicies).flatMap((policy) =>
        check(policy, ['spec', 'trafficPolicy', 'portLevelSettings']),
      ),
    ];
  });
}

function mostInOneIdc(
  host: string,
  { entriesOf, selectedBy }: Pick<Mesh, 'entriesOf' | 'selectedBy'>,
): number {
  // The hosts of a wildcard may have any number.
  const declared = entriesOf(host);
  if (declared.some(({ spec }) => spec.resolution !== 'STATIC')) return 0;
  const instances = [
    ...declared.flatMap(({ spec }) => spec.endpoints),
    ...[...new Set(declared.flatMap(selectedBy))].map(({ spec }) => spec),
  ];
  const byIdc = new Map<string, number>();
  // Instances without locality are local to the control plane's IDC.
  for (const { locality = '' } of instances) {
    const { idc } = splitLocality(locality);
    byIdc.set(idc, (byIdc.get(idc) ?? 0) + 1);
  }
  return Math.max(0, ...byIdc.values());
}
