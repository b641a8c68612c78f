import type { DecidingObject } from '../contract/explain.ts';
import type { Declaration } from '../index/view.ts';
import type { DrGroup } from '../model/idc.ts';
import type { Meta } from '../model/meta.ts';
import type { GroupPlan, Path } from '../plan/types.ts';
import { evacuationsOf } from '../who/describe.ts';
import type { WayFacts } from './types.ts';

/** The ServiceEntry that declares the port: of several in a namespace the first that has it. */
function declarationOf({ view }: WayFacts, { group }: GroupPlan): Declaration {
  const all: readonly Declaration[] = [view, ...(view.siblings ?? [])];
  return all.find(({ entry }) => entry.spec.ports.some((port) => port.number === group.port)) ?? view;
}

/** The DrGroup of the port, if any. */
export function drGroupOf(facts: WayFacts, plan: GroupPlan): DrGroup | undefined {
  return declarationOf(facts, plan).drGroup;
}

function object(
  kind: DecidingObject['kind'],
  { namespace, name, origin }: Meta,
  does: string,
): DecidingObject {
  return { kind, namespace, name, origin, does };
}

/** What decides where instances are, and whether a request may leave the IDC. */
export function nearObjects(facts: WayFacts, idc: string, plan: GroupPlan, path: Path): DecidingObject[] {
  const { view, idcs } = facts;
  const isEnd = path.listener === 'peer' && !path.priorities.some(({ kind }) => kind === 'egress');
  const { entry, drGroup } = declarationOf(facts, plan);
  const port = `${view.host}:${plan.group.port}`;
  const local = idcs.get(idc);
  return [
    object('ServiceEntry', entry.meta, `declares ${port} and its instances`),
    ...(view.rule === undefined
      ? []
      : [object('DestinationRule', view.rule.meta, 'connections, ejection and choice of the instance')]),
    ...(drGroup === undefined || isEnd
      ? []
      : [object('DrGroup', drGroup.meta, leaveWords(drGroup, idc, plan, facts.hopLimit))]),
    ...evacuationObjects(facts, idc),
    ...(local === undefined || plan.crossing === undefined || isEnd
      ? []
      : [object('Idc', local.meta, `the gateways of ${idc}`)]),
  ];
}

function leaveWords({ spec }: DrGroup, idc: string, plan: GroupPlan, hopLimit: number): string {
  const { crossing } = plan;
  if (crossing === undefined) return `does not let requests leave ${idc}`;
  const others = crossing.idcs.map((one) => one.idc).join(', ');
  return `lets requests leave ${idc} for ${others}, hop limit ${Math.min(spec.hopLimit, hopLimit)}`;
}

/** What decides which other IDC is asked. */
export function farObjects(facts: WayFacts, plan: GroupPlan, to: string | undefined): DecidingObject[] {
  const drGroup = drGroupOf(facts, plan);
  const target = to === undefined ? undefined : facts.idcs.get(to);
  return [
    ...(drGroup === undefined ? [] : [object('DrGroup', drGroup.meta, orderWords(plan))]),
    ...(target === undefined ? [] : [object('Idc', target.meta, `the ingress gateways of ${to}`)]),
  ];
}

function orderWords({ crossing }: GroupPlan): string {
  const idcs = crossing?.idcs ?? [];
  const isWeighted = idcs.some(({ weight }) => weight !== undefined);
  const names = idcs.map(({ idc, weight }) => (weight === undefined ? idc : `${idc} by weight ${weight}`));
  return isWeighted ? `the IDCs: ${names.join(', ')}` : `the order of the IDCs: ${names.join(', ')}`;
}

function evacuationObjects(facts: WayFacts, idc: string): DecidingObject[] {
  return evacuationsOf({ ...facts, idc }).map(({ name, origin, percentNow }) => ({
    ...{ kind: 'Evacuation', namespace: '', name, origin },
    does: `moves ${percentNow} % of the requests out of ${idc}`,
  }));
}
