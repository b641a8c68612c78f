import { hostOfRequest, lostLinesMs } from '../measure/fates.ts';
import type { AccessLine, Measurement } from '../measure/measurement.ts';
import type { CheckFinding } from './finding.ts';
import { checkFindingOf } from './finding.ts';

/**
 * What an instance took, it took from its sidecar, and once for each time: for each request and instance
 * - there are no more entries in the instance's log than `inbound` lines at its sidecar: nothing came in past
 * it,
 *   and nothing was executed twice;
 * - there are no fewer entries than lines that the application answered.
 * The two are equal but for requests that the sidecar itself turned away, for those that have not ended, as
 * no line has been written of them yet (a connection that broke in silence stays open), and for the last
 * lines of a killed sidecar: of entries that had not ended by 250 ms before its death.
 */
export function sidecarsMatch(m: Measurement): CheckFinding {
  const lines = new Map<string, { all: number; answered: number }>();
  let logged = 0;
  for (const line of m.access) {
    if (line.listener !== 'inbound') continue;
    logged += 1;
    const key = `${line.proxy} ${line.id}`;
    const counts = lines.get(key) ?? { all: 0, answered: 0 };
    counts.all += 1;
    if (wasAnswered(line)) counts.answered += 1;
    lines.set(key, counts);
  }
  const wrong: string[] = [];
  let unwritten = 0;
  const deaths = Map.groupBy(m.lost, ({ proxy }) => proxy);
  for (const [name, list] of m.entries) {
    const own = deaths.get(name) ?? [];
    const byId = Map.groupBy(list, ({ id }) => id);
    for (const [id, entries] of byId) {
      const surplus = entries.length - (lines.get(`${name} ${id}`)?.all ?? 0);
      if (surplus <= 0) continue;
      const excused = entries.filter(({ at, ended }) => {
        if (ended === undefined) return true;
        return own.some(({ killed }) => at <= killed.to && ended.at >= killed.from - lostLinesMs.before);
      }).length;
      if (surplus > excused)
        wrong.push(`${name} executed ${id} ${surplus} times more than its sidecar accepted it`);
      else unwritten += surplus;
    }
    const prefix = `${name} `;
    for (const [key, { answered }] of lines) {
      if (!key.startsWith(prefix)) continue;
      const id = key.slice(prefix.length);
      const count = byId.get(id)?.length ?? 0;
      if (answered > count) wrong.push(`${name} answered ${id} ${answered} times, its log has ${count}`);
    }
  }
  const total = [...m.entries.values()].reduce((sum, list) => sum + list.length, 0);
  const note =
    unwritten > 0
      ? `; ${unwritten} lines were lost with killed sidecars, for requests that had not ended ${lostLinesMs.before} ms before their death, or are still to come for unfinished requests`
      : '';
  return checkFindingOf(
    'Every execution at an instance came through its sidecar, once',
    wrong,
    `${total} entries, ${logged} lines at sidecars${note}`,
  );
}

/** Whoever took a request belongs to the Group that it asked for, by its number in its load's plan. */
export function groupsMatch(m: Measurement): CheckFinding {
  const takers = [
    ...[...m.entries].flatMap(([name, list]) => list.map(({ id }) => ({ name, id }))),
    ...m.samples.filter((s) => s.instance !== '').map((s) => ({ name: s.instance, id: s.id })),
  ];
  const wrong = takers
    .filter(({ name, id }) => hostOfRequest(id, m).split('.')[0] !== groupOf(name))
    .map(({ name, id }) => `${name} took ${id} for ${hostOfRequest(id, m) || 'no host of its load'}`);
  const asked = new Set(m.streams.flatMap((facts) => facts.hosts)).size;
  return checkFindingOf('Every request was executed by an instance of its Group', wrong, `${asked} hosts`);
}

/** `sh-a/checkout-1` is an instance of `checkout`. */
function groupOf(instance: string): string {
  return (instance.split('/')[1] ?? '').replace(/-\d+$/, '');
}

/** Whether the answer came from the other side: Envoy flags its own answers. */
export function wasAnswered(line: AccessLine): boolean {
  return line.status > 0 && (line.flags === '' || line.flags === '-');
}
