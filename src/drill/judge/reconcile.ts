import { type Sample, succeeded } from '../load/sample.ts';
import { lostLinesMs, unrecorded, unrecordedMs } from '../measure/fates.ts';
import type { AccessLine, LostProxy, Measurement, StreamFacts } from '../measure/measurement.ts';
import type { CheckFinding } from './finding.ts';
import { checkFindingOf } from './finding.ts';
import { groupsMatch, sidecarsMatch, wasAnswered } from './reconcile-instances.ts';
import { countBy } from './stats.ts';

/**
 * Compares the client's records, the instances' logs, the gateways' logs and the gateways' counters, request
 * by request. Each finding names up to three contradictions.
 */
export function reconcile(m: Measurement): CheckFinding[] {
  return [
    recordsMatchPlan(m),
    successesMatchInstances(m),
    entriesMatchRequests(m),
    entrancesMatchRecords(m),
    crossingsMatch(m),
    countersMatch(m),
    sidecarsMatch(m),
    groupsMatch(m),
  ];
}

function recordsMatchPlan(m: Measurement): CheckFinding {
  const byStream = countBy(m.samples, (s) => s.stream);
  const wrong = m.streams
    .filter((facts) => !facts.killed && byStream.get(facts.stream) !== facts.planned)
    .map((facts) => `${facts.stream}: ${byStream.get(facts.stream) ?? 0} of ${facts.planned}`);
  const unique = new Set(m.samples.map((s) => s.id)).size;
  if (unique !== m.samples.length) wrong.push(`${m.samples.length - unique} ids twice`);
  const lost = unrecorded(m);
  // What was due earlier has long been answered and is on record, or it was not sent at all.
  wrong.push(...lost.filter((each) => each.beforeDeathMs > unrecordedMs).map(({ id }) => `${id}: no record`));
  const note =
    lost.length > 0
      ? `; ${lost.length} requests of clients that were killed were in flight, all due in the last ${unrecordedMs} ms`
      : '';
  return checkFindingOf(
    'Every request that was due has one record of its client',
    wrong,
    `${m.samples.length} records${note}`,
  );
}

function successesMatchInstances(m: Measurement): CheckFinding {
  const ids = new Map([...m.entries].map(([name, list]) => [name, new Set(list.map((e) => e.id))]));
  const successes = m.samples.filter(succeeded);
  const wrong = successes
    .filter((s) => !ids.get(s.instance)?.has(s.id))
    .map((s) => `${s.id} says ${s.instance || 'nobody'}`);
  return checkFindingOf(
    'Every success is in the log of the instance that it names',
    wrong,
    `${successes.length} successes`,
  );
}

function entriesMatchRequests(m: Measurement): CheckFinding {
  const known = new Set(m.samples.map((s) => s.id));
  const killed = new Map(m.streams.filter((f) => f.killed).map((f) => [f.stream, f]));
  const all = [...m.entries].flatMap(([name, list]) => list.map((entry) => ({ name, id: entry.id })));
  const wrong = all
    .filter(({ id }) => !known.has(id) && !wasDueBeforeDeath(id, killed))
    .map(({ name, id }) => `${name} served ${id || 'a request without an id'}`);
  return checkFindingOf(
    'Every entry in an instance’s log belongs to a request that was sent',
    wrong,
    `${all.length} entries`,
  );
}

function wasDueBeforeDeath(id: string, killed: ReadonlyMap<string, StreamFacts>): boolean {
  const at = id.lastIndexOf(':');
  const facts = killed.get(id.slice(0, at));
  const number = Number(id.slice(at + 1));
  return facts?.killed !== undefined && number < facts.planned && facts.due(number) <= facts.killed.to;
}

/**
 * Each request that a client put on a connection appears once at the first Envoy: never sent twice, never
 * bypassed.
 */
function entrancesMatchRecords(m: Measurement): CheckFinding {
  const entrances = m.access.filter((line) => line.listener === 'outbound' || line.listener === 'edge');
  const seen = countBy(entrances, (line) => line.id);
  const excused = new Set(m.samples.filter((s) => mayHaveLostItsLine(s, m)).map((s) => s.id));
  const wrong = m.samples
    .filter((s) => s.connectedAt > 0)
    .filter((s) => seen.get(s.id) !== 1 && !(excused.has(s.id) && seen.get(s.id) === undefined))
    .map((s) => `${s.id}: ${seen.get(s.id) ?? 0} times`);
  return checkFindingOf(
    'Every request was accepted exactly once by the first Envoy on its path',
    wrong,
    `${entrances.length} lines at ${new Set(entrances.map((line) => line.proxy)).size} entrances${tolerance(m)}`,
  );
}

/**
 * Killed instances' sidecars are on no path that is compared by trails and entrances: they excuse nothing
 * here.
 */
function lostGateways(m: Measurement): readonly LostProxy[] {
  return m.lost.filter(({ proxy }) => !m.entries.has(proxy));
}

/** Whether some of the life of a request lay around the death of a gateway that may have been on its way. */
function mayHaveLostItsLine({ sent, end }: Sample, m: Measurement): boolean {
  return lostGateways(m).some(
    ({ killed }) => end >= killed.from - lostLinesMs.before && sent <= killed.to + lostLinesMs.after,
  );
}

/**
 * What left one IDC's egress is what entered the other's ingress is what its instances served, id by id:
 * - an egress line that got an answer from the other side (no local flag) has a line there, but
 *   for what the egress answered without a try;
 * - no ingress has more lines for an id than the egress gateways made tries;
 * - an instance that served a request from outside its IDC has a line at its own ingress.
 */
function crossingsMatch(m: Measurement): CheckFinding {
  const leaving = m.access.filter(
    (l) => l.id !== '' && (l.listener === 'sidecar' || l.listener === 'ingress'),
  );
  const entering = m.access.filter((l) => l.id !== '' && l.listener === 'peer');
  const tries = sumBy(leaving, (l) => l.attempts);
  const arrived = countBy(entering, (l) => l.id);
  const excused = new Set(m.samples.filter((s) => mayHaveLostItsLine(s, m)).map((s) => s.id));
  // Of a client that was killed with its sidecar the last requests may have left no trace but at the
  // instance.
  for (const { id, beforeDeathMs } of unrecorded(m)) if (beforeDeathMs <= unrecordedMs) excused.add(id);
  const wrong: string[] = [];
  const answered = countBy(
    leaving.filter((l) => wasAnswered(l) && l.attempts > 0),
    (l) => l.id,
  );
  for (const [id, count] of answered) {
    if (count > (arrived.get(id) ?? 0) && !excused.has(id)) {
      wrong.push(`${id}: ${count} left and were answered, ${arrived.get(id) ?? 0} arrived`);
    }
  }
  for (const [id, count] of arrived) {
    if (count > (tries.get(id) ?? 0) && !excused.has(id)) {
      wrong.push(`${id}: ${count} arrived, ${tries.get(id) ?? 0} tries left`);
    }
  }
  let served = 0;
  const inside = entrancesByIdc(m);
  for (const [name, list] of m.entries) {
    const idc = name.split('/')[0] ?? '';
    for (const { id } of list) {
      if (inside.get(idc)?.has(id)) continue;
      served += 1;
      if (!arrived.has(id) && !excused.has(id)) wrong.push(`${name} served ${id}, which no gateway admitted`);
    }
  }
  const seen = `${leaving.length} left by an egress, ${entering.length} came in by another IDC’s ingress, ${served} were served there`;
  return checkFindingOf('Crossings agree: egress, ingress and instances', wrong, seen + tolerance(m));
}

/** For each IDC, the ids that entered it by its own caller's sidecar or its own edge. */
function entrancesByIdc(m: Measurement): Map<string, Set<string>> {
  const byIdc = new Map<string, Set<string>>();
  for (const line of m.access) {
    if (line.listener !== 'outbound' && line.listener !== 'edge') continue;
    const ids = byIdc.get(line.idc) ?? new Set();
    byIdc.set(line.idc, ids.add(line.id));
  }
  // A killed sidecar or gateway lost its last lines; the client knows where it sent those requests.
  for (const sample of m.samples) {
    const idc = m.streams.find((facts) => facts.stream === sample.stream)?.idc;
    if (idc !== undefined) byIdc.set(idc, (byIdc.get(idc) ?? new Set()).add(sample.id));
  }
  return byIdc;
}

function countersMatch(m: Measurement): CheckFinding {
  const wrong = m.counters
    .filter(({ before, lines, after }) => lines < before || lines > after)
    .map((c) => `${c.proxy} ${c.listener}: counted ${c.before} to ${c.after}, logged ${c.lines}`);
  const read = new Set(m.counters.map(({ proxy, listener }) => `${proxy} ${listener}`));
  // A counter that goes by another name than its listener must not slip through.
  wrong.push(...m.listeners.filter((name) => !read.has(name)).map((name) => `${name}: no counter`));
  const total = m.counters.reduce((sum, { after }) => sum + after, 0);
  return checkFindingOf(
    'Each Envoy’s request counter agrees with its access log',
    m.counters.length === 0 || m.listeners.length === 0 ? ['no counter was read'] : wrong,
    `${total} requests at ${m.counters.length} listeners${tolerance(m)}`,
  );
}

function tolerance(m: Measurement): string {
  const lost = lostGateways(m);
  if (lost.length === 0) return '';
  const { before, after } = lostLinesMs;
  return (
    `; ${lost.length} of these Envoys were killed: their counters count from their restart, and requests in flight ` +
    `from ${before} ms before to ${after} ms after their death are compared with the other logs only`
  );
}

function sumBy(lines: readonly AccessLine[], amountOf: (line: AccessLine) => number): Map<string, number> {
  const sums = new Map<string, number>();
  for (const line of lines) sums.set(line.id, (sums.get(line.id) ?? 0) + amountOf(line));
  return sums;
}
