import { beginningsOf, circlesOf } from '../../judge/circles.ts';
import { percent, type Row } from '../../judge/row.ts';
import { succeeded } from '../../load/sample.ts';
import type { Measurement } from '../../measure/measurement.ts';

/** Requests that reached an instance after two crossings: without any, handing on was not tested. */
export function relayedRow(m: Measurement, hopLimit: number): Row {
  const served = new Set(m.samples.filter(succeeded).map(({ id }) => id));
  const relayed = new Set(
    m.access
      .filter((line) => line.listener === 'peer' && served.has(line.id))
      .filter((line) => line.status === 200 && line.trail.split(',').length - 1 === hopLimit)
      .map(({ id }) => id),
  );
  const { byCrossings } = circlesOf(m);
  return {
    id: 'relayed',
    claim: `Requests that ${hopLimit} crossings brought to an instance`,
    bound: '> 0',
    measured: `${relayed.size} (of ${byCrossings[hopLimit] ?? 0} entries with ${hopLimit})`,
    ok: relayed.size > 0,
  };
}

/** Required share served by the preferred IDC. */
const preferredShareMin = 0.95;

/**
 * In the second half of each phase, requests are served by the first IDC in the order of the IDC that they
 * began in that has instances then.
 */
export function preferenceRow(
  m: Measurement,
  order: Readonly<Record<string, readonly string[]>>,
  alive: Readonly<Record<string, readonly string[]>>,
): Row {
  const begun = beginningsOf(m);
  let worst = { share: 1, what: 'every phase' };
  for (const [name, idcs] of Object.entries(alive)) {
    const phase = m.phases.find((each) => each.name === name);
    const from = phase ? (phase.from + phase.to) / 2 : 0;
    const served = m.samples.filter((s) => phase && succeeded(s) && s.due >= from && s.due < phase.to);
    const right = served.filter(({ id, idc }) => {
      const first = order[begun.get(id) ?? '']?.find((each) => idcs.includes(each));
      return first === idc;
    });
    const share = served.length === 0 ? 0 : right.length / served.length;
    if (share < worst.share) worst = { share, what: name };
  }
  return {
    id: 'preference',
    claim: 'Share served by the first IDC in order that has instances, in the second half of the worst phase',
    bound: `≥ ${100 * preferredShareMin} %`,
    measured: `${percent(worst.share)} (${worst.what})`,
    ok: worst.share >= preferredShareMin,
  };
}
