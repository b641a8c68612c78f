/** What one Envoy says of one Group's instances at one moment. */
export interface LoadLook {
  /** `HOST:PORT`. */
  readonly group: string;
  /** Requests that it has in work at them. */
  readonly active: number;
  /** Requests that it has sent them since its start. */
  readonly total: number;
  /** Instances that it knows, and those of them that it sends requests to. */
  readonly instances: number;
  readonly well: number;
}

/** An Envoy that is asked. */
export interface AskedEnvoy {
  readonly id: string;
  readonly role: string;
  readonly idc: string;
}

/** What an Envoy said at one moment; absent: it did not answer. */
export interface EnvoyLook extends AskedEnvoy {
  readonly groups?: readonly LoadLook[];
}

/** Why a figure says little. */
export type CapacityDoubt = 'idle' | 'few' | 'sick';

/** What was seen of one Group of an IDC over a time, at all Envoys that were asked. */
export interface GroupSeen {
  readonly idc: string;
  readonly group: string;
  /** Instances, and the fewest of them that were well. */
  readonly instances: number;
  readonly well: number;
  /** Requests that were sent meanwhile. */
  readonly requests: number;
  /** Requests in work at once, all Envoys together: in the mean of all looks, and the most of one. */
  readonly mean: number;
  readonly most: number;
  /**
   * The most, for each instance that was well, rounded up: what each has borne at least. Absent: nothing was
   * seen.
   */
  readonly concurrentPerInstance?: number;
  readonly doubts: readonly CapacityDoubt[];
}

/** Fewer requests than this tell too little. */
export const capacityRequestsMin = 100;

/** Statistics that are asked for, as a regular expression of names. */
export const loadStats =
  '^cluster\\.instances/.*\\.(upstream_rq_active|upstream_rq_total|membership_total|membership_healthy)$';

const fields: Readonly<Record<string, Exclude<keyof LoadLook, 'group'>>> = {
  upstream_rq_active: 'active',
  upstream_rq_total: 'total',
  membership_total: 'instances',
  membership_healthy: 'well',
};

/** Reads an Envoy's `/stats` (lines `NAME: VALUE`). Envoy writes a cluster's `:` as `_`. */
export function readLoad(text: string): LoadLook[] {
  const found = new Map<string, LoadLook>();
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

/** Adds up looks: each is of all Envoys at about one moment. */
export function summarizeLoad(looks: readonly (readonly EnvoyLook[])[]): GroupSeen[] {
  const keys = new Map<string, { readonly idc: string; readonly group: string }>();
  for (const { idc, groups = [] } of looks.flat())
    for (const { group } of groups) keys.set(JSON.stringify([idc, group]), { idc, group });
  const byName = [...keys].sort(([a], [b]) => (a < b ? -1 : 1));
  const all = byName.map(([, { idc, group }]) => seenOf(looks, idc, group));
  // An IDC without instances of a Group bears nothing of it.
  return all.filter(({ instances }) => instances > 0);
}

function seenOf(looks: readonly (readonly EnvoyLook[])[], idc: string, group: string): GroupSeen {
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
  // What was in work at the first look was sent before.
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
