/** What one Envoy says of one Group's instances at one moment. */
export interface LoadLook {
  /** `HOST:PORT`. */
  readonly group: string;
  /** Requests that it has in work at them. */
  readonly active: number;
  /** Instances that it knows. */
  readonly instances: number;
}

/** What was seen of one Group over a time, at all proxies that were asked. */
export interface GroupSeen {
  readonly group: string;
  readonly instances: number;
  /** Requests in work at once, all proxies together: in the mean of all looks, and the most of one. */
  readonly mean: number;
  readonly most: number;
  /** The most, for each instance, rounded up: what each has borne at least. Absent: nothing was seen. */
  readonly concurrentPerInstance?: number;
}

/** Statistics that are asked for, as a regular expression of names. */
export const loadStats = '^cluster\\.instances/.*\\.(upstream_rq_active|membership_total)$';

/** Reads an Envoy's `/stats` (lines `NAME: VALUE`). Envoy writes a cluster's `:` as `_`. */
export function readLoad(text: string): LoadLook[] {
  const found = new Map<string, { active: number; instances: number }>();
  for (const line of text.split('\n')) {
    const match = /^cluster\.instances\/(.+)_(\d+)\.(upstream_rq_active|membership_total): (\d+)$/.exec(line);
    if (match === null) continue;
    const [, host, port, stat, value] = match;
    const group = `${host}:${port}`;
    const look = found.get(group) ?? { active: 0, instances: 0 };
    found.set(group, { ...look, [stat === 'membership_total' ? 'instances' : 'active']: Number(value) });
  }
  return [...found].map(([group, look]) => ({ group, ...look }));
}

/** Adds up looks: each is of all proxies at about one moment. */
export function summarizeLoad(looks: readonly (readonly LoadLook[])[]): GroupSeen[] {
  const groups = [...new Set(looks.flatMap((look) => look.map(({ group }) => group)))].sort();
  return groups.map((group) => {
    const of = looks.map((look) => look.filter((one) => one.group === group));
    const sums = of.map((list) => list.reduce((sum, { active }) => sum + active, 0));
    // Proxies of one IDC know the same instances.
    const instances = Math.max(0, ...of.flatMap((list) => list.map((one) => one.instances)));
    const most = Math.max(...sums);
    const mean = sums.reduce((sum, count) => sum + count, 0) / sums.length;
    const each = instances === 0 || most === 0 ? undefined : Math.ceil(most / instances);
    return { group, instances, mean, most, ...(each === undefined ? {} : { concurrentPerInstance: each }) };
  });
}

/** The table that people read. */
export function loadText(seen: readonly GroupSeen[], seconds: number, proxies: number): string {
  if (seen.length === 0) return 'None of these proxies sends anything to instances of a Group.\n';
  const rows = [
    ['GROUP', 'INSTANCES', 'IN WORK, MEAN', 'MOST', 'SEEN FOR EACH INSTANCE'],
    ...seen.map(({ group, instances, mean, most, concurrentPerInstance: each }) => [
      group,
      String(instances),
      mean.toFixed(1),
      String(most),
      each === undefined ? '-' : String(each),
    ]),
  ];
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const asked = proxies === 1 ? 'one proxy' : `${proxies} proxies`;
  return `${lines.join('\n')}

Seen at ${asked} in ${seconds} s: what instances have borne, at least. Ask all sidecars and ingress gateways of the IDC, when it is
busiest. capacity.concurrentPerInstance is what an instance bears well: not less than this, and its workers or threads where they are known.
`;
}
