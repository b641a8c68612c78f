import { compareText } from '../../base/text/compare-text.ts';
/** One Envoy's statistics of a Group's instances at one moment. */
export interface LoadReading {
  /** `HOST:PORT`. */
  readonly group: string;
  /** Requests that it has in flight to them. */
  readonly active: number;
  /** Requests that it has sent them since its start. */
  readonly total: number;
  /** Instances that it knows, and those of them in use. */
  readonly instances: number;
  readonly well: number;
}

/** An Envoy that is read. */
export interface AskedEnvoy {
  readonly id: string;
  readonly role: string;
  readonly idc: string;
}

/** An Envoy's statistics at one moment; absent: no answer. */
export interface EnvoyReading extends AskedEnvoy {
  readonly groups?: readonly LoadReading[];
}

/** Why a figure is unreliable. */
export type CapacityDoubt = 'idle' | 'few' | 'sick';

/** The statistics of a Group in an IDC over some time, at all Envoys read. */
export interface GroupLoad {
  readonly idc: string;
  readonly group: string;
  /** Instances, and the lowest number of healthy ones. */
  readonly instances: number;
  readonly well: number;
  /** Requests sent meanwhile. */
  readonly requests: number;
  /** Concurrent requests, all Envoys together: mean and maximum of all readings. */
  readonly mean: number;
  readonly most: number;
  /**
   * The maximum for each healthy instance, rounded up: a lower bound of its capacity. Absent: no requests.
   */
  readonly concurrentPerInstance?: number;
  readonly doubts: readonly CapacityDoubt[];
}

/** Fewer requests are not significant. */
export const capacityRequestsMin = 100;

/** The statistics to read, as a regular expression of names. */
export const loadStats =
  '^cluster\\.instances/.*\\.(upstream_rq_active|upstream_rq_total|membership_total|membership_healthy)$';

const fields: Readonly<Record<string, Exclude<keyof LoadReading, 'group'>>> = {
  upstream_rq_active: 'active',
  upstream_rq_total: 'total',
  membership_total: 'instances',
  membership_healthy: 'well',
};

/** Parses an Envoy's `/stats` (lines `NAME: VALUE`). Envoy writes a cluster's `:` as `_`. */
export function readLoad(text: string): LoadReading[] {
  const found = new Map<string, LoadReading>();
  for (const line of text.split('\n')) {
    const [, host, port, stat = '', value] =
      /^cluster\.instances\/(.+)_(\d+)\.(\w+): (\d+)$/.exec(line) ?? [];
    const field = fields[stat];
    if (field === undefined) continue;
    const group = `${host}:${port}`;
    const look = found.get(group) ?? { group, active: 0, total: 0, instances: 0, well: 0 };
    found.set(group, { ...look, [field]: Number(value) });
  }
  return [...found.values()];
}

/** Summarizes readings: each is of all Envoys at about one moment. */
export function summarizeLoad(readings: readonly (readonly EnvoyReading[])[]): GroupLoad[] {
  const keys = new Map<string, { readonly idc: string; readonly group: string }>();
  for (const { idc, groups = [] } of readings.flat())
    for (const { group } of groups) keys.set(JSON.stringify([idc, group]), { idc, group });
  const byName = [...keys].sort(([a], [b]) => compareText(a, b));
  const all = byName.map(([, { idc, group }]) => seenOf(readings, idc, group));
  // An IDC without instances of a Group has no capacity for it.
  return all.filter(({ instances }) => instances > 0);
}

function seenOf(looks: readonly (readonly EnvoyReading[])[], idc: string, group: string): GroupLoad {
  const own = looks.map((look) =>
    look
      .filter((envoy) => envoy.idc === idc)
      .flatMap(({ id, groups = [] }) =>
        groups.filter((one) => one.group === group).map((one) => ({ id, ...one })),
      ),
  );
  const active = own.map((list) => list.reduce((sum, one) => sum + one.active, 0));
  // Envoys of one IDC know the same instances.
  const wells = own
    .filter((list) => list.length > 0)
    .map((list) => Math.max(...list.map(({ well }) => well)));
  const each = own.flatMap((list, i) => {
    const well = Math.max(0, ...list.map((one) => one.well));
    return well === 0 ? [] : [(active[i] ?? 0) / well];
  });
  const instances = Math.max(0, ...own.flat().map((one) => one.instances));
  const well = Math.min(instances, ...wells);
  const most = Math.max(0, ...active);
  const sent = [...Map.groupBy(own.flat(), ({ id }) => id).values()].map((list) => {
    const [first, last] = [list[0]?.total ?? 0, list.at(-1)?.total ?? 0];
    return last < first ? last : last - first;
  });
  // Requests in flight at the first reading were sent before.
  const requests = sent.reduce((sum, count) => sum + count, active[0] ?? 0);
  const top = Math.ceil(Math.max(0, ...each));
  const doubts: CapacityDoubt[] = [
    ...(most < instances ? (['idle'] as const) : requests < capacityRequestsMin ? (['few'] as const) : []),
    ...(well < instances ? (['sick'] as const) : []),
  ];
  return {
    ...{ idc, group, instances, well, requests, most, doubts },
    mean: active.reduce((sum, count) => sum + count, 0) / Math.max(1, active.length),
    ...(top === 0 ? {} : { concurrentPerInstance: top }),
  };
}
