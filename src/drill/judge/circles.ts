import type { AccessLine, Measurement } from '../measure/measurement.ts';
import { sumOfCounter, type TrailCounters } from '../measure/trail-counters.ts';
import type { CheckFinding } from './finding.ts';
import { checkFindingOf } from './finding.ts';
import type { Row } from './row.ts';
import { findingRow } from './rows.ts';
import { countBy } from './stats.ts';

/** How requests moved between IDCs, by the gateways' access logs. */
interface CircleFigures {
  /** Requests that came in at a peer listener. */
  readonly crossed: number;
  /** How often that was: each try counts. */
  readonly entries: number;
  /** Entries by the number of crossings that their trail tells of. */
  readonly byCrossings: Readonly<Record<number, number>>;
  /** The most crossings on any trail. */
  readonly most: number;
  /** The most entries of any one request: each of its tries may cross. */
  readonly mostEntries: number;
  /** Entries whose trail tells of no crossing. */
  readonly withoutTrail: number;
  /** Requests on whose trail an IDC stands twice, or that were turned away where their trail had been. */
  readonly twice: readonly string[];
  /**
   * Requests that came in from another IDC where they had begun: by where their ids came in, without their
   * trails.
   */
  readonly returned: readonly string[];
  /** Requests that a filter turned away: the routes would have let them run on. */
  readonly turnedAway: readonly string[];
}

const refusedByFilter: readonly string[] = ['loop', 'hop-limit', 'malformed'];

/** Follows each request over the peer listeners. */
export function circlesOf(m: Measurement): CircleFigures {
  const entering = m.access.filter((line) => line.listener === 'peer' && line.id !== '');
  const begun = beginningsOf(m);
  const byCrossings: Record<number, number> = {};
  const [twice, returned, turnedAway] = [new Set<string>(), new Set<string>(), new Set<string>()];
  for (const line of entering) {
    const names = namesOf(line);
    const crossings = crossingsOf(line);
    byCrossings[crossings] = (byCrossings[crossings] ?? 0) + 1;
    const refused = refusedByFilter.includes(line.outcome);
    if (refused) turnedAway.add(line.id);
    if (new Set(names).size < names.length || (refused && names.includes(line.idc))) twice.add(line.id);
    if (begun.get(line.id) === line.idc) returned.add(line.id);
  }
  return {
    crossed: new Set(entering.map(({ id }) => id)).size,
    entries: entering.length,
    byCrossings,
    most: Math.max(0, ...Object.keys(byCrossings).map(Number)),
    mostEntries: Math.max(0, ...countBy(entering, ({ id }) => id).values()),
    withoutTrail: entering.filter(
      (line) => namesOf(line).length < (refusedByFilter.includes(line.outcome) ? 1 : 2),
    ).length,
    twice: [...twice],
    returned: [...returned],
    turnedAway: [...turnedAway],
  };
}

/** The IDC that each request began in: where its first Envoy stands. */
export function beginningsOf(m: Measurement): Map<string, string> {
  const first = m.access.filter(({ listener }) => listener === 'outbound' || listener === 'edge');
  return new Map(first.map(({ id, idc }) => [id, idc]));
}

function namesOf({ trail }: AccessLine): string[] {
  return trail === '' ? [] : trail.split(',');
}

/**
 * A trail that came in has a name for each crossing; the filter has put the own one behind it, unless it
 * refused.
 */
function crossingsOf(line: AccessLine): number {
  const names = namesOf(line).length;
  return refusedByFilter.includes(line.outcome) ? names : Math.max(0, names - 1);
}

/**
 * No try of a request crosses more often than `most`, visits an IDC twice or comes back to where it began;
 * and all tries of a request together enter other IDCs at most so often.
 */
export function circleRows(m: Measurement, most: number, entriesMax: number): Row[] {
  const circles = circlesOf(m);
  const shown = (ids: readonly string[]) =>
    ids.length === 0 ? '0' : `${ids.length}, such as ${ids.slice(0, 3).join(', ')}`;
  const byCrossings = Object.entries(circles.byCrossings).map(([n, count]) => `${count} with ${n}`);
  const few = byCrossings.length > 5 ? [...byCrossings.slice(0, 4), `… ${byCrossings.at(-1)}`] : byCrossings;
  return [
    {
      id: 'crossings',
      claim: 'Most crossings of any request, by its trail',
      bound: `≤ ${most}`,
      measured: `${circles.most} (${circles.crossed} requests crossed; entries: ${few.join(', ') || 'none'}; ${circles.withoutTrail} without a trail that shows it)`,
      ok: circles.most <= most && circles.withoutTrail === 0,
    },
    {
      id: 'entries',
      claim: 'Most entries into other IDCs for any one request, all its tries together',
      bound: `≤ ${entriesMax}`,
      measured: `${circles.mostEntries} (${circles.entries} for ${circles.crossed} requests)`,
      ok: circles.mostEntries <= entriesMax,
    },
    {
      id: 'visited-twice',
      claim: 'Requests that visited an IDC twice, by their trails',
      bound: '0',
      measured: shown(circles.twice),
      ok: circles.twice.length === 0,
    },
    {
      id: 'returned',
      claim: 'Requests that returned from another IDC to the IDC where they began, by their ids',
      bound: '0',
      measured: shown(circles.returned),
      ok: circles.returned.length === 0,
    },
    {
      id: 'turned-away',
      claim: 'Requests that a filter had to refuse, because the routes let them pass',
      bound: '0',
      measured: shown(circles.turnedAway),
      ok: circles.turnedAway.length === 0,
    },
  ];
}

/**
 * What the filters counted is what the access logs tell: crossings for each ingress gateway and the IDC that
 * they came from, and what was turned away. No filter failed and was started anew.
 */
export function counterRows(m: Measurement, counted: TrailCounters): Row[] {
  return [
    findingRow('filter-counters', countersAgree(m, counted)),
    {
      id: 'filter-restarts',
      claim: 'Filters that failed at run time and were restarted',
      bound: '0',
      measured: counted.size === 0 ? 'nothing was read' : String(sumOfCounter(counted, 'vm_reload')),
      ok: counted.size > 0 && sumOfCounter(counted, 'vm_reload') === 0,
    },
  ];
}

function countersAgree(m: Measurement, counted: TrailCounters): CheckFinding {
  const logged = new Map<string, number>();
  const add = (key: string) => logged.set(key, (logged.get(key) ?? 0) + 1);
  for (const line of m.access) {
    if (line.listener !== 'peer' || line.id === '') continue;
    const names = namesOf(line);
    // The IDC before this one: the last of what came.
    const peer = (refusedByFilter.includes(line.outcome) ? names.at(-1) : names.at(-2)) ?? '_unknown';
    if (line.outcome === 'malformed') add(`${line.proxy} ingress-peer.malformed_rejected`);
    else if (line.outcome === 'loop') add(`${line.proxy} ingress-peer.peer.${peer}.loop_rejected`);
    else if (line.outcome === 'hop-limit') add(`${line.proxy} ingress-peer.peer.${peer}.hop_limit_rejected`);
    else add(`${line.proxy} ingress-peer.peer.${peer}.hops`);
  }
  const counters = new Map(
    [...counted].flatMap(([gateway, each]) =>
      [...each]
        .filter(([name]) => name.startsWith('ingress-peer.'))
        .map(([name, count]): [string, number] => [`${gateway} ${name}`, count]),
    ),
  );
  const wrong = [...new Set([...logged.keys(), ...counters.keys()])]
    .filter((key) => (logged.get(key) ?? 0) !== (counters.get(key) ?? 0))
    .map((key) => `${key}: counted ${counters.get(key) ?? 0}, logged ${logged.get(key) ?? 0}`);
  if (counted.size === 0) wrong.push('no counter was read');
  const hops = sumOfCounter(counted, '.hops');
  return checkFindingOf(
    'The filters’ counters agree with the gateways’ access logs',
    wrong,
    `${hops} crossings`,
  );
}
