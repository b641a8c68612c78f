import t from 'tap';
import type { Fault } from '../../../src/registry/parse/fault.ts';
import { Fields } from '../../../src/registry/parse/fields.ts';
import { parseZonePreference } from '../../../src/registry/parse/istio/locality.ts';

const [region, zone] = ['topology.kubernetes.io/region', 'topology.kubernetes.io/zone'];

function parse(localityLbSetting: unknown) {
  const faults: Fault[] = [];
  const fields = new Fields(localityLbSetting === undefined ? {} : { localityLbSetting }, faults);
  return { prefers: parseZonePreference(fields) ?? false, faults: faults.map(({ message }) => message) };
}

t.test('on, off, and not given', async (t) => {
  t.strictSame(parse(undefined), { prefers: false, faults: [] });
  t.strictSame(parse({}), { prefers: true, faults: [] }, 'as in Istio');
  t.strictSame(parse({ enabled: true }), { prefers: true, faults: [] });
  t.strictSame(parse({ enabled: false }), { prefers: false, faults: [] });
  t.strictSame(parse({ failoverPriority: [region, zone] }), { prefers: true, faults: [] });
  t.strictSame(parse({ failoverPriority: [region] }), { prefers: false, faults: [] });
});

t.test('what is not supported is told', async (t) => {
  const failover = parse({ failover: [{ from: 'sh-a', to: 'sh-b' }] });
  t.equal(failover.prefers, true);
  t.match(failover.faults, [/DrGroup/]);
  const distribute = parse({ distribute: [{ from: 'sh-a/z1/*', to: { 'sh-a/z2/*': 100 } }] });
  t.equal(distribute.prefers, false, 'shares are no preference');
  t.match(distribute.faults, [/shares/]);
  t.match(parse({ failoverPriority: [zone, 'app=v1'] }), { prefers: true, faults: [/only topology/] });
  t.match(parse({ enabled: 'yes' }).faults, [/true or false/]);
});
