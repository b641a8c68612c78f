import { z } from 'zod';
import { millis, percent, type Row, seconds, timedBy } from '../../judge/row.ts';
import { latencyOf } from '../../judge/stats.ts';
import type { EjectionLook } from '../../measure/ejected.ts';
import { dueIn, latenciesOf } from '../../measure/fates.ts';
import { count, durationField, msOf, parseShare, percentage, phaseName } from '../document/fields.ts';
import type { ScenarioMeasurement, Sickness } from '../measurement.ts';
import { bound } from './bound.ts';

const schema = z
  .strictObject({
    found: durationField.meta({ description: 'It is ejected so soon.' }),
    out: percentage.meta({ description: 'And is out at least so much of the time since then.' }),
    p99: durationField.meta({ description: 'Of all requests while it is out.' }),
    most: count(0, 54).meta({ description: 'So many instances at most are ejected at once.' }),
    nobody: z
      .array(phaseName)
      .optional()
      .meta({ description: 'Phases in which all are a little sick, and nobody may be ejected.' }),
  })
  .meta({ description: 'Who is gray is ejected by the caller of its IDC, and nobody else.' });

type GrayBound = z.infer<typeof schema>;

/** Who is gray is out soon and stays out, though its checks pass. */
export const grayOut = bound(schema, (m, value) => [
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
  // A moment later: what was under way when it went out was slow before.
  const p99 = latencyOf(latenciesOf(dueIn(m.samples, { from: first + 500, to: back }))).p99;
  return [
    {
      id: `found-${idOf(phase)}`,
      claim: `An instance that ${what} is ejected`,
      bound: `≤ ${seconds(msOf(bounds.found))}`,
      measured: seconds(first - from),
      ok: first - from <= msOf(bounds.found),
      ...timedBy(first),
    },
    {
      id: `out-${idOf(phase)}`,
      claim: 'It stays out, though its checks pass: of the time since then',
      bound: `≥ ${bounds.out}`,
      measured: percent(share),
      ok: share >= parseShare(bounds.out),
    },
    {
      id: `p99-${idOf(phase)}`,
      claim: 'p99 while it is out',
      bound: `≤ ${msOf(bounds.p99)} ms`,
      measured: millis(p99),
      ok: p99 <= msOf(bounds.p99),
      ...timedBy(p99),
    },
  ];
}

function nobodyRow({ phase, what, looks }: Sickness): Row {
  const ejected = [...new Set(looks.flatMap((look) => look.ejected))];
  return {
    id: `none-${idOf(phase)}`,
    claim: `Instances ejected while each ${what}`,
    bound: 'none',
    measured: `${ejected.join(', ') || 'none'} (${looks.length} looks)`,
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
    measured: `${most} (${all.length} looks)`,
    ok: all.length > 0 && most <= allowed,
  };
}
