import { circleRows, counterRows } from '../../judge/circles.ts';
import { checkFindingOf } from '../../judge/finding.ts';
import { percent, type Row } from '../../judge/row.ts';
import { findingRow, isolationRows, leakRow, reconcileRows, successRow, triesRow } from '../../judge/rows.ts';
import type { Verdict } from '../../judge/verdict.ts';
import { sumOfCounter } from '../../measure/trail-counters.ts';
import { type Attack, attacks, far, near } from './attacks.ts';
import type { Attempt, SpoofMeasurement } from './facts.ts';

const attackOf = (attempt: Attempt) => attacks.find(({ name }) => name === attempt.attack) as Attack;
/** A trail as a message shows it: some have ten thousand names. */
const short = (trail: string) => (trail.length <= 40 ? trail : `${trail.slice(0, 37)}…`);
const told = ({ attack, door, answer }: Attempt, what = `status ${answer.status} ${answer.outcome}`) =>
  `${attack} at the ${door.name}: ${what.trim()}`;

/** Judges the spoofing drill: hostile clients get what all clients get, and no more. */
export function spoofRows(m: SpoofMeasurement): Row[] {
  return [
    findingRow('attacked', attacked(m)),
    findingRow('served-as-others', servedAsOthers(m)),
    findingRow('rejected', rejectedAsNoHttp(m)),
    findingRow('near-stays', nearStays(m)),
    findingRow('far-crosses-once', farCrossesOnce(m)),
    ...spoofedCounters(m),
    findingRow('nothing-leaks', nothingLeaks(m)),
    successRow(m, 1),
    ...circleRows(m, 0, 0),
    // The load stays at home: what crosses are hostile requests for the far Group.
    ...counterRows({ ...m, access: m.lines }, m.counted),
    triesRow(m, 8),
    leakRow(m),
    ...isolationRows(m, ['sidecars before the load', 'control', 'instances before the load']),
    ...isolationRows(m, ['sidecars after the load', 'instances after the load']),
    ...reconcileRows(m),
  ];
}

function attacked(m: SpoofMeasurement) {
  const doors = new Set(m.attempts.map(({ door }) => door.name));
  const sent = new Set(m.attempts.map(({ attack, door, far: isFar }) => `${attack} ${door.name} ${isFar}`));
  const wrong = [...doors].flatMap((door) =>
    attacks.flatMap(({ name }) =>
      [true, false]
        .filter((isFar) => !sent.has(`${name} ${door} ${isFar}`))
        .map(() => `${name} at the ${door} not sent`),
    ),
  );
  if (doors.size < 2) wrong.push(`only ${doors.size} doors`);
  const seen = `${m.attempts.length} requests, ${attacks.length} kinds at ${doors.size} doors`;
  return checkFindingOf(
    'Hostile requests of each kind were sent to each listener, for Groups in this IDC and in the other',
    wrong,
    seen,
  );
}

function servedAsOthers(m: SpoofMeasurement) {
  const due = m.attempts.filter((attempt) => attackOf(attempt).expect === 'served');
  const wrong = due
    .filter(({ answer, far: isFar }) => answer.status !== 200 || answer.idc !== (isFar ? far : near))
    .map((attempt) => told(attempt));
  return checkFindingOf(
    'Valid HTTP is served as without the headers, by the same IDC as other requests',
    wrong,
    `${due.length} requests`,
  );
}

function rejectedAsNoHttp(m: SpoofMeasurement) {
  const due = m.attempts.filter((attempt) => attackOf(attempt).expect === 'rejected');
  const reached = new Set([...m.reached.values()].flat().map(({ id }) => id));
  const wrong = due
    .filter(({ id, answer }) => ![0, 400, 431].includes(answer.status) || reached.has(id))
    .map((attempt) => told(attempt));
  return checkFindingOf(
    'Invalid or too large HTTP is refused (400, 431) and reaches no instance',
    wrong,
    `${due.length} requests`,
  );
}

function nearStays(m: SpoofMeasurement) {
  const due = new Set(m.attempts.filter((attempt) => !attempt.far).map(({ id }) => id));
  const crossing = m.lines.filter(({ listener, id }) => listener === 'peer' && due.has(id));
  const wrong = crossing.map(({ id, trail }) => `${id} crossed with the trail ${short(trail)}`);
  return checkFindingOf(
    'Hostile requests for a Group in this IDC do not cross',
    wrong,
    `${due.size} requests`,
  );
}

function farCrossesOnce(m: SpoofMeasurement) {
  const due = m.attempts.filter((attempt) => attempt.far && attackOf(attempt).expect === 'served');
  const entered = Map.groupBy(
    m.lines.filter(({ listener }) => listener === 'peer'),
    ({ id }) => id,
  );
  const wrong = due.flatMap((attempt) => {
    const lines = entered.get(attempt.id) ?? [];
    const honest = lines.length === 1 && lines[0]?.idc === far && lines[0].trail === `${near},${far}`;
    return honest
      ? []
      : [told(attempt, `${lines.length} crossings ${lines.map(({ trail }) => short(trail)).join(' ')}`)];
  });
  return checkFindingOf(
    'Hostile requests for a Group in the other IDC cross once, with a correct trail',
    wrong,
    `${due.length} requests`,
  );
}

/**
 * What each listener that begins trails must have counted: the requests that brought one, by its access log.
 */
function spoofedCounters(m: SpoofMeasurement): Row[] {
  const spoofing = new Set(m.attempts.filter((attempt) => attackOf(attempt).spoofs).map(({ id }) => id));
  const sent = (listener: string, isFar: boolean) =>
    m.attempts.filter((a) => a.door.listener === listener && attackOf(a).spoofs && (isFar ? a.far : true))
      .length;
  return (
    [
      ['edge', 'ingress-edge', sent('edge', false)],
      // From the sidecar only what is for the far Group comes to a gateway.
      ['sidecar', 'egress-sidecar', sent('outbound', true)],
    ] as const
  ).map(([listener, filter, expected]) => {
    const logged = m.lines.filter((line) => line.listener === listener && spoofing.has(line.id)).length;
    const counted = sumOfCounter(m.counted, `${filter}.trail_spoofed`);
    return {
      id: `spoofed-${listener}`,
      claim: `Forged trails that the filters at ${filter} counted`,
      bound: `${expected}, as sent`,
      measured: `${counted} (${logged} in access logs)`,
      ok: expected > 0 && counted === expected && logged === expected,
    };
  });
}

function nothingLeaks(m: SpoofMeasurement) {
  const inside = [...m.reached].flatMap(([name, list]) =>
    list
      .filter(({ leaked }) => leaked.length > 0)
      .map(({ id, leaked }) => `${id} brought ${leaked[0]} to ${name}`),
  );
  const outside = m.attempts
    .filter(({ answer }) => answer.leaked.length > 0)
    .map((attempt) => told(attempt, `answered with ${attempt.answer.leaked[0]}`));
  const count = [...m.reached.values()].reduce((sum, list) => sum + list.length, 0);
  const claim = 'No x-isthmus-* header of a hostile request reaches an application, and none comes back';
  return checkFindingOf(claim, [...inside, ...outside], `${count} reached one`);
}

/** Of the trails that are forged where they are believed, so many must have an effect. */
const believedShareMin = 0.5;

/**
 * Whether hostile requests at listeners for gateways, where trails are trusted, had the effect of forged
 * trails: filters refused them. Returns objections.
 */
export function judgeSpoofControl(m: SpoofMeasurement, verdict: Verdict): string[] {
  const against: string[] = [];
  const served = verdict.rows.find((row) => row.id === 'served-as-others');
  if (served?.ok !== false) against.push('hostile requests were served like all others');
  const forged = m.attempts.filter((attempt) => attackOf(attempt).spoofs);
  const refused = forged.filter(({ answer }) =>
    ['loop', 'malformed', 'hop-limit'].includes(answer.outcome),
  ).length;
  if (!(refused >= believedShareMin * forged.length && forged.length > 0)) {
    const share = percent(forged.length === 0 ? 0 : refused / forged.length);
    against.push(`only ${share} of ${forged.length} forged trails had an effect where trails are trusted`);
  }
  const load = verdict.rows.find((row) => row.id === 'success-rate');
  if (load?.ok !== true) against.push('the normal load failed');
  return against;
}
