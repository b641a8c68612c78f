import { mergeTraffic, trafficFromAnnotations } from '../../model/annotations/annotations.ts';
import type { GroupSpill } from '../../model/capacity.ts';
import type { DrGroup, Idc } from '../../model/idc.ts';
import type { ServiceEntry } from '../../model/service.ts';
import type { Lint } from '../lint.ts';
import type { Coverage } from '../mesh.ts';

/** Protocols whose requests are limited; opaque bytes are not. */
const bounded: ReadonlySet<string> = new Set(['HTTP', 'HTTP2', 'GRPC']);

/**
 * DR groups whose IDCs take whatever comes from others, as nobody has said what instances bear there; and
 * bounds that bound nothing.
 */
export function lintCapacity(
  groups: readonly DrGroup[],
  entries: readonly ServiceEntry[],
  idcs: readonly Idc[],
  { entriesOf, groupsOf }: Coverage,
): Lint[] {
  const byDefault = new Set(
    idcs.filter(({ spec }) => spec.capacity !== undefined).map(({ meta }) => meta.name),
  );
  return [
    ...groups.flatMap((object) => {
      return lintGroup(object, entriesOf(object), byDefault);
    }),
    ...entries
      .filter((entry) => trafficFromAnnotations(entry).spill !== undefined)
      .filter((entry) => groupsOf(entry).length === 0)
      .map((object): Lint => {
        const key = Object.keys(object.meta.annotations).find((one) => annotations.includes(one)) ?? '';
        const message = 'has no effect: no DrGroup is for these hosts, so nothing comes from other IDCs.';
        return {
          code: 'NoEffect',
          object,
          path: ['metadata', 'annotations', key],
          message,
          lacks: ['DrGroup'],
        };
      }),
  ];
}

const annotations = ['isthmus.dev/concurrent-per-instance', 'isthmus.dev/spill-share', 'isthmus.dev/class'];

function lintGroup(
  object: DrGroup,
  covered: readonly ServiceEntry[],
  byDefault: ReadonlySet<string>,
): Lint[] {
  const { spill, ...rest } = object.spec.traffic;
  // Undeclared hosts are reported elsewhere; TCP has no such limit, and the number of instances behind names
  // is unknown.
  const http = covered.filter(
    ({ spec }) => spec.resolution === 'STATIC' && spec.ports.some(({ protocol }) => bounded.has(protocol)),
  );
  const field = spill && fieldOf(spill);
  if (field !== undefined && object.spec.hopLimit === 0) {
    const message = 'has no effect: with hopLimit 0 no IDC takes requests of another.';
    return [{ code: 'NoEffect', object, path: ['spec', field], message }];
  }
  if (field !== undefined && covered.length > 0 && http.length === 0) {
    const message =
      'has no effect: only requests at HTTP, HTTP2 and GRPC ports are bounded, and only with resolution STATIC.';
    return [{ code: 'NoEffect', object, path: ['spec', field], message, lacks: ['ServiceEntry'] }];
  }
  if (object.spec.hopLimit === 0 || http.length === 0) return [];
  const lacking = object.spec.idcs
    .map(({ name }) => name)
    .filter((idc) =>
      http.some(
        (entry) =>
          !isKnown(
            mergeTraffic({ ...rest, ...(spill && { spill }) }, trafficFromAnnotations(entry)).spill,
            idc,
            byDefault,
          ),
      ),
    );
  if (lacking.length === 0) return [];
  const message = `no capacity of an instance is declared for ${lacking.join(', ')}: that IDC takes all that others cannot serve, and may fail with them. Give capacity.concurrentPerInstance, here or on the Idc; \`isthmus capacity --envoy HOST:PORT --for 10m\` suggests a value by the requests that instances have in flight.`;
  const at = object.spec.idcs.findIndex(({ name }) => name === lacking[0]);
  const path = field === 'capacity' ? ['spec', 'idcs', at, 'name'] : ['spec', field ?? 'idcs'];
  return [{ code: 'CapacityUnknown', object, path, message, lacks: ['Idc', 'ServiceEntry'] }];
}

function isKnown(spill: GroupSpill | undefined, idc: string, byDefault: ReadonlySet<string>): boolean {
  const { concurrentPerInstance, concurrentByIdc = {} } = spill ?? {};
  return concurrentPerInstance !== undefined || Object.hasOwn(concurrentByIdc, idc) || byDefault.has(idc);
}

function fieldOf({ concurrentPerInstance, concurrentByIdc, sharePercent }: GroupSpill): string {
  if (concurrentPerInstance !== undefined || concurrentByIdc !== undefined) return 'capacity';
  return sharePercent === undefined ? 'class' : 'spill';
}
