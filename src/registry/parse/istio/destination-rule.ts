import type { Meta } from '../../../model/meta.ts';
import type { DestinationRule, TrafficPolicy } from '../../../model/service.ts';
import { canonicalHost, isHost } from '../../../model/values/hostname.ts';
import { show } from '../fault.ts';
import type { Fields, FieldTable } from '../fields.ts';
import { parseExportTo } from './export-to.ts';
import { parsePolicy } from './traffic-policy.ts';

/** DestinationRule as of Istio 1.30. */
const ruleFields: FieldTable = {
  host: '',
  trafficPolicy: '',
  subsets: 'requests go to all instances, whatever their version.',
  exportTo: '',
  workloadSelector: 'the rule holds for all callers, not just for the selected ones.',
};
const portFields: FieldTable = { number: '' };

/** Reads a networking.istio.io DestinationRule. */
export function parseDestinationRule(spec: Fields, meta: Meta): DestinationRule {
  spec.checkKnown(ruleFields);
  const host = spec.required('host', 'the host of a ServiceEntry');
  if (host !== undefined && host !== '*' && !isHost(canonicalHost(host))) {
    spec.error(`${show(host)} is not a host: give a DNS name, or '*.' and a DNS name.`, 'host');
  }
  const fields = spec.map('trafficPolicy');
  const policy = fields === undefined ? {} : parsePolicy(fields, 'host');
  const portPolicies: Record<number, TrafficPolicy> = {};
  for (const setting of fields?.maps('portLevelSettings') ?? []) {
    const port = setting.map('port');
    port?.checkKnown(portFields);
    const number = port?.integer('number', 1, 65_535);
    const portPolicy = parsePolicy(setting, 'port');
    if (number === undefined) {
      if (!port?.has('number')) setting.missing('is required: write `port: {number: 80}`.', 'port');
    } else if (portPolicies[number] !== undefined) {
      setting.error(`${number} has settings already: put them together.`, 'port', 'number');
    } else portPolicies[number] = portPolicy;
  }
  return {
    kind: 'DestinationRule',
    meta,
    spec: { host: canonicalHost(host ?? ''), ...parseExportTo(spec, meta), policy, portPolicies },
  };
}
