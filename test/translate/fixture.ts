import type { GroupView } from '../../src/index/view.ts';
import type { DrGroup } from '../../src/model/idc.ts';
import type { NodeScope } from '../../src/model/node.ts';
import type { HungGateway } from '../../src/plan/gateways.ts';
import { planGroup } from '../../src/plan/group.ts';
import type { GroupPlan } from '../../src/plan/types.ts';
import type { BuiltResource } from '../../src/translate/resources.ts';
import { drGroup, idc, serviceEntry } from '../index/fixture.ts';

export const idcs = new Map([
  ['sh-a', idc('sh-a')],
  ['sh-b', idc('sh-b')],
  ['bj-c', idc('bj-c', '10.9.0.3')],
]);
const at = (port: number) => ({ address: '127.0.0.1', port });

/** IDCs of a DR group, by the number of crossings that it allows. */
const members = { 1: ['sh-a', 'sh-b'], 2: ['sh-a', 'bj-c', 'sh-b'] } as const;

/**
 * The plans of a Group in `namespace`, with an instance at `address` and one in another zone; `hops`: how
 * often its requests may cross.
 */
export function plansOf(
  host: string,
  namespace: string,
  address: string,
  hops: 0 | 1 | 2 = 0,
  zonePreference = false,
  hung: readonly string[] = [],
): readonly GroupPlan[] {
  const instance = {
    address,
    ports: { http: 8080 },
    labels: {},
    idc: 'sh-a',
    locality: 'sh-a/z1',
    weight: 1,
  };
  const group: GroupView = {
    host,
    entry: serviceEntry(`${namespace}/${host}`, [host]),
    instances: [instance, { ...instance, address: '10.0.0.3', locality: 'sh-a/z2' }],
    ...(hops > 0 && { drGroup: drGroupOf(host, hops as 1 | 2) }),
  };
  return planGroup(group, {
    localIdc: 'sh-a',
    idcs,
    hopLimit: 2,
    hung: new Set(hung),
    loopPrevention: 'on',
    checkIntervalMsMin: 1000,
  }).map((plan) => (zonePreference ? { ...plan, zonePreference } : plan));
}

function drGroupOf(host: string, hopLimit: 1 | 2): DrGroup {
  const made = drGroup('dr', [host], undefined, members[hopLimit]);
  return { ...made, spec: { ...made.spec, hopLimit } };
}

export function sidecar(namespace: string, dependsOn?: readonly string[], zone?: string): NodeScope {
  const more = { ...(dependsOn && { dependsOn }), ...(zone && { zone }) };
  return { role: 'sidecar', idc: 'sh-a', namespace, outbound: at(15001), ...more };
}

export const ingress: NodeScope = { role: 'ingress', idc: 'sh-a', edge: at(1), peer: at(2) };
export const egress: NodeScope = { role: 'egress', idc: 'sh-a', sidecar: at(3), ingress: at(4) };
export const nameOf = ({ kind, name }: Pick<BuiltResource, 'kind' | 'name'>) => `${kind}/${name}`;
export const surroundings = { localIdc: idcs.get('sh-a'), filters: {} };

/** The gateways of both IDCs that others are sent to. */
export const hung: readonly HungGateway[] = [
  { idc: 'sh-a', kind: 'egress', address: '10.9.0.1', port: 8002 },
  { idc: 'sh-b', kind: 'ingress', address: '10.9.0.1', port: 8001 },
];
