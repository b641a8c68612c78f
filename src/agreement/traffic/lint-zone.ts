import type { DestinationRule, TrafficPolicy } from '../../model/service.ts';
import type { PathPart } from '../../model/values/field-path.ts';
import { meaningsOf } from '../../model/values/hostname.ts';
import { splitLocality } from '../../model/values/locality.ts';
import type { Lint } from '../lint.ts';
import type { Mesh } from '../mesh.ts';

/**
 * Rules with a zone preference for hosts whose instances have no zone. `selects`: whether a ServiceEntry
 * selects a WorkloadEntry. Hosts without instances are left out: instances may register themselves.
 */
export function lintZones({
  rules,
  entriesOf,
  selectedBy,
}: Pick<Mesh, 'rules' | 'entriesOf' | 'selectedBy'>): Lint[] {
  return rules.flatMap((object) => {
    const at = placesOf(object);
    if (at.length === 0) return [];
    const instances = meaningsOf(object.spec.host, object.meta.namespace)
      .flatMap(entriesOf)
      .flatMap((entry) => [...entry.spec.endpoints, ...selectedBy(entry).map(({ spec }) => spec)]);
    if (instances.length === 0 || instances.some(({ locality = '' }) => splitLocality(locality).zone !== ''))
      return [];
    const message =
      'has no effect: no instance of the host has a zone. Give them a locality of the form IDC/zone.';
    return at.map((path) => ({ code: 'NoEffect', object, path, message }));
  });
}

function placesOf({ spec }: DestinationRule): PathPart[][] {
  const prefers = ({ zonePreference }: TrafficPolicy) => zonePreference === true;
  return [
    ...(prefers(spec.policy) ? [['spec', 'trafficPolicy', 'loadBalancer', 'localityLbSetting']] : []),
    ...(Object.values(spec.portPolicies).some(prefers)
      ? [['spec', 'trafficPolicy', 'portLevelSettings']]
      : []),
  ];
}
