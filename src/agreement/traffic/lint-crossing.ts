import { mergeTraffic, trafficFromAnnotations } from '../../model/annotations/annotations.ts';
import type { DrGroup, Idc } from '../../model/idc.ts';
import type { ServiceEntry } from '../../model/service.ts';
import type { Lint } from '../lint.ts';
import type { Coverage } from '../mesh.ts';

/**
 * Settings of the way to other IDCs where there is none, or just one, and of those that hold at home alone
 * where requests may leave.
 */
export function lintCrossing(
  groups: readonly DrGroup[],
  entries: readonly ServiceEntry[],
  idcs: readonly Idc[],
  { groupsOf }: Pick<Coverage, 'groupsOf'>,
): Lint[] {
  return [
    ...groups.flatMap((object) => [
      ...lintWay(object),
      ...lintWeights(object),
      ...lintHops(object),
      ...lintShare(object),
    ]),
    ...entries.flatMap((object) => lintEntry(object, groupsOf(object)[0])),
    ...idcs.flatMap((object) => lintIdc(object, groups)),
  ];
}

const stays = 'with hopLimit 0 no request leaves its IDC.';

function lintWay(object: DrGroup): Lint[] {
  const { hopLimit, traffic } = object.spec;
  if (traffic.roundTripMs === undefined || hopLimit > 0) return [];
  return [
    { code: 'NoEffect', object, path: ['spec', 'traffic', 'roundTrip'], message: `has no effect: ${stays}` },
  ];
}

function lintWeights(object: DrGroup): Lint[] {
  const { hopLimit, idcs } = object.spec;
  const at = idcs.findIndex(({ weight }) => weight !== undefined);
  const why =
    hopLimit === 0 ? stays : idcs.length === 2 ? 'of two IDCs there is only one to go to.' : undefined;
  if (at < 0 || why === undefined) return [];
  return [
    { code: 'NoEffect', object, path: ['spec', 'idcs', at, 'weight'], message: `has no effect: ${why}` },
  ];
}

/** No request visits an IDC twice. */
function lintHops(object: DrGroup): Lint[] {
  const { hopLimit, idcs } = object.spec;
  const most = idcs.length - 1;
  if (hopLimit <= most) return [];
  const message = `has no more effect than ${most}: among ${idcs.length} IDCs, none of which is visited twice, no request crosses more often.`;
  return [{ code: 'NoEffect', object, path: ['spec', 'hopLimit'], message }];
}

const shareMessage =
  'has no effect if requests may leave their IDC: Envoy takes it of requests in flight at a cluster that has none then. `requestsPerSecond` alone counts.';

function lintShare(object: DrGroup): Lint[] {
  const { hopLimit, traffic } = object.spec;
  if (traffic.retryBudget?.sharePercent === undefined || hopLimit === 0 || traffic.retries === 0) return [];
  const path = ['spec', 'traffic', 'retryBudget', 'share'];
  return [{ code: 'NoEffect', object, path, message: shareMessage, severity: 'note' }];
}

function lintEntry(object: ServiceEntry, group: DrGroup | undefined): Lint[] {
  const own = trafficFromAnnotations(object);
  const mayLeave = group !== undefined && group.spec.hopLimit > 0;
  const { retries } = mergeTraffic(group?.spec.traffic, own);
  const at = (key: string) => ['metadata', 'annotations', `isthmus.dev/${key}`];
  const lints: Lint[] = [];
  if (own.roundTripMs !== undefined && !mayLeave) {
    const why = group === undefined ? 'no DrGroup is for these hosts, so no request leaves its IDC.' : stays;
    lints.push({
      code: 'NoEffect',
      object,
      path: at('round-trip'),
      message: `has no effect: ${why}`,
      lacks: ['DrGroup'],
    });
  }
  if (own.retryBudget?.sharePercent !== undefined && mayLeave && retries !== 0)
    lints.push({
      code: 'NoEffect',
      object,
      path: at('retry-budget'),
      message: `its share ${shareMessage}`,
      severity: 'note',
    });
  return lints;
}

function lintIdc(object: Idc, groups: readonly DrGroup[]): Lint[] {
  if (object.spec.capacity === undefined) return [];
  const isNamed = groups.some(
    ({ spec }) => spec.hopLimit > 0 && spec.idcs.some(({ name }) => name === object.meta.name),
  );
  if (isNamed) return [];
  const message = 'has no effect: no DrGroup lets requests of other IDCs come here.';
  return [{ code: 'NoEffect', object, path: ['spec', 'capacity'], message, lacks: ['DrGroup'] }];
}
