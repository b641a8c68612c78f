import type { Fields, FieldTable } from '../fields.ts';

const settingFields: FieldTable = {
  enabled: '',
  distribute: 'shares of zones are not set: the own zone is preferred, or all zones are alike.',
  failover: 'which IDC takes over is what a DrGroup says.',
  failoverPriority: '',
};

const zoneLabel = 'topology.kubernetes.io/zone';
const regionLabel = 'topology.kubernetes.io/region';

/**
 * Parses `localityLbSetting` of a load balancer: whether a proxy's own zone is preferred. As in Istio, a
 * setting without `enabled` is on. Shares (`distribute`), and labels without the zone, mean something else.
 */
export function parseZonePreference(balancer: Fields | undefined): true | undefined {
  const fields = balancer?.map('localityLbSetting');
  if (fields === undefined) return undefined;
  fields.checkKnown(settingFields);
  const enabled = fields.boolean('enabled') ?? true;
  const labels = failoverLabels(fields);
  const isZonal = labels.length === 0 ? !fields.has('distribute') : labels.includes(zoneLabel);
  return enabled && isZonal ? true : undefined;
}

function failoverLabels(fields: Fields): readonly string[] {
  const labels = fields.strings('failoverPriority').map(({ text }) => text);
  if (labels.some((label) => label !== zoneLabel && label !== regionLabel)) {
    fields.warn(`of these labels only ${zoneLabel} decides: the own zone first.`, 'failoverPriority');
  }
  return labels;
}
