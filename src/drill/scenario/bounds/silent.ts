import { z } from 'zod';
import { phaseOf } from '../../judge/analysis.ts';
import type { Row } from '../../judge/row.ts';
import { count, idcNameField, phaseName } from '../document/fields.ts';
import type { ScenarioMeasurement } from '../measurement.ts';
import { bound } from './bound.ts';

/**
 * How long after a fault requests in flight may still be accepted and answered, in milliseconds.
 */
const underWayMs = 250;

/**
 * Whether the fault took effect: what was struck serves nothing until healing begins. A fault without effect
 * would let any system pass.
 */
export const silentBound = bound(
  z
    .strictObject({
      all: z
        .array(idcNameField)
        .min(1)
        .optional()
        .meta({ description: 'IDCs of which all instances must be struck.' }),
      gateways: count(1, 54)
        .optional()
        .meta({ description: 'Least number of gateways that must be struck too.' }),
      elsewhere: count(1, 54)
        .optional()
        .meta({ description: 'Least number of instances of other IDCs that must be struck.' }),
    })
    .meta({ description: 'What was struck serves nothing until healing begins.' }),
  (m, { all = [], gateways = 0, elsewhere = 0 }) => [
    instancesSilent(m, all, elsewhere),
    ...(gateways > 0 ? [proxiesSilent(m, gateways)] : []),
  ],
);

/** Requests went to another IDC, past what was struck. */
export const crossedBound = bound(
  phaseName.meta({ description: 'Requests of this phase cross to another IDC.' }),
  (m, phase) => [crossedIn(m, phase)],
);

/**
 * From when each struck part must serve nothing. What a stopped process accepts and answers after SIGCONT
 * counts as after healing.
 */
function silentFrom(m: ScenarioMeasurement): Map<string, number> {
  return new Map(
    m.faults.flatMap(({ struck, moment }) => struck.map((name) => [name, moment.to + underWayMs] as const)),
  );
}

function instancesSilent(m: ScenarioMeasurement, all: readonly string[], elsewhereMin: number): Row {
  const silent = silentFrom(m);
  const isIn = (from: number | undefined, at: number) =>
    from !== undefined && at >= from && at < m.healed.from;
  const instances = [...m.entries.keys()].filter((name) => silent.has(name));
  const taken = instances.flatMap((name) =>
    (m.entries.get(name) ?? []).filter((entry) => isIn(silent.get(name), entry.at)),
  );
  const lostFrom = m.faults[0] && m.faults[0].moment.to + underWayMs;
  const answered = m.samples.filter(
    (s) => isIn(silent.get(s.instance), s.end) || (all.includes(s.idc) && isIn(lostFrom, s.end)),
  );
  const count = new Set([...taken, ...answered].map(({ id }) => id)).size;
  const spared = [...m.entries.keys()].filter(
    (name) => all.includes(name.split('/')[0] ?? '') && !silent.has(name),
  );
  const elsewhere = instances.filter((name) => !all.includes(name.split('/')[0] ?? '')).length;
  const complete = instances.length > 0 && spared.length === 0 && elsewhere >= elsewhereMin;
  return {
    id: 'struck-instances-silent',
    claim: `Requests that struck instances served from ${underWayMs} ms after the fault until healing`,
    bound: '0',
    measured: complete
      ? `${count} by ${instances.length} instances`
      : `${count}, but only ${instances.length} instances were struck`,
    ok: complete && count === 0,
  };
}

function proxiesSilent(m: ScenarioMeasurement, least: number): Row {
  const silent = silentFrom(m);
  const proxies = [...silent.keys()].filter((name) => !m.entries.has(name));
  const logged = m.access.filter(
    ({ proxy, at }) =>
      !m.entries.has(proxy) && at >= (silent.get(proxy) ?? Number.POSITIVE_INFINITY) && at < m.healed.from,
  ).length;
  return {
    id: 'struck-proxies-silent',
    claim: `Requests that struck gateways accepted from ${underWayMs} ms after the fault until healing`,
    bound: '0',
    measured: `${logged} at ${proxies.length} Envoys (${proxies.join(', ')})`,
    ok: logged === 0 && proxies.length >= least,
  };
}

function crossedIn(m: ScenarioMeasurement, name: string): Row {
  const phase = phaseOf(m, name);
  const from = Math.max(phase.from, m.faults[0]?.moment.to ?? phase.to);
  const due = m.samples.filter((s) => s.due >= from && s.due < phase.to);
  const ids = new Set(m.access.filter((line) => line.listener === 'peer').map((line) => line.id));
  const crossed = due.filter(({ id }) => ids.has(id)).length;
  return {
    id: `${name.replaceAll(' ', '-')}-crossed`,
    claim: `Requests of the ${name} that crossed to another IDC`,
    bound: '> 0',
    measured: `${crossed} of ${due.length}`,
    ok: crossed > 0,
  };
}
