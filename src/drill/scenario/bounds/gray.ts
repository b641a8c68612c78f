import { z } from 'zod';
import { latencyLine, millis, percent, type Row, seconds, timedBy, timeLine } from '../../judge/row.ts';
import { latencyOf } from '../../judge/stats.ts';
import type { EjectionLook } from '../../measure/ejected.ts';
import { dueIn, latenciesOf } from '../../measure/fates.ts';
import { count, durationField, msOf, parseShare, percentage, phaseName } from '../document/fields.ts';
import type { ScenarioMeasurement, Sickness } from '../measurement.ts';
import { bound } from './bound.ts';

const schema = z
  .strictObject({
    found: durationField.meta({ description: 'Time limit for the ejection of a gray instance.' }),
    out: percentage.meta({
      description: 'Least share of the time after its first ejection in which it is ejected.',
    }),
    p99: durationField.meta({ description: 'Largest p99 of all requests while it is ejected.' }),
    most: count(0, 54).meta({ description: 'Most instances that may be ejected at once.' }),
    nobody: z
      .array(phaseName)
      .optional()
      .meta({ description: 'Phases in which all instances fail a few requests, and none may be ejected.' }),
  })
  .meta({ description: 'The caller of an IDC ejects the gray instances of the IDC, and no others.' });

type GrayBound = z.infer<typeof schema>;

/** A gray instance is ejected soon and stays ejected, although its health checks pass. */
export const grayOutBound = bound(schema, (m, value) => [
  ...m.sicknesses.flatMap((sickness) =>
    value.nobody?.includes(sickness.phase) ? [nobodyRow(sickness)] : sickRows(m, sickness, value),
  ),
  mostRow(m, value.most),
]);

/** A phase's name as a part of an id. */
const idOf = (phase: string) => phase.replaceAll(' ', '-');

function sickRows(m: ScenarioMeasurement, sickness: Sickness, bounds: GrayBound): Row[] {
  const { phase, what, sick, from, to, looks } = sickness;
  const isOut = ({ ejected }: EjectionLook) => sick.every((name) => ejected.includes(name));
  const first = looks.find(isOut)?.at ?? Number.NaN;
  const since = looks.filter(({ at }) => at >= first);
  const share = since.length === 0 ? 0 : since.filter(isOut).length / since.length;
  const back = since.find((look) => !isOut(look))?.at ?? to;
  // 500 ms later: requests in flight at the ejection were slow before it.
  const p99 = latencyOf(latenciesOf(dueIn(m.samples, { from: first + 500, to: back }))).p99;
  return [
    {
      id: `found-${idOf(phase)}`,
      claim: `An instance that ${what} is ejected`,
      bound: `≤ ${seconds(msOf(bounds.found))}`,
      measured: seconds(first - from),
      ok: first - from <= msOf(bounds.found),
      ...timedBy(first),
      ...timeLine(from, msOf(bounds.found), 'latency'),
    },
    {
      id: `out-${idOf(phase)}`,
      claim: 'Share of the time since then in which it is ejected, although its health checks pass',
      bound: `≥ ${bounds.out}`,
      measured: percent(share),
      ok: share >= parseShare(bounds.out),
    },
    {
      id: `p99-${idOf(phase)}`,
      claim: 'p99 while it is ejected',
      bound: `≤ ${msOf(bounds.p99)} ms`,
      measured: millis(p99),
      ok: p99 <= msOf(bounds.p99),
      ...timedBy(p99),
      ...latencyLine(msOf(bounds.p99), { from: first + 500, to: back }),
    },
  ];
}

function nobodyRow({ phase, what, looks }: Sickness): Row {
  const ejected = [...new Set(looks.flatMap((look) => look.ejected))];
  return {
    id: `none-${idOf(phase)}`,
    claim: `Instances ejected while each ${what}`,
    bound: 'none',
    measured: `${ejected.join(', ') || 'none'} (${looks.length} readings)`,
    ok: looks.length > 0 && ejected.length === 0,
  };
}

function mostRow({ sicknesses }: ScenarioMeasurement, allowed: number): Row {
  const all = sicknesses.flatMap(({ looks }) => looks.map(({ ejected }) => ejected.length));
  const most = Math.max(0, ...all);
  return {
    id: 'at-most-half',
    claim: 'Instances ejected at once',
    bound: `≤ ${allowed}`,
    measured: `${most} (${all.length} readings)`,
    ok: all.length > 0 && most <= allowed,
  };
}
