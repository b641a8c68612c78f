import { phaseOf } from '../../analysis.ts';
import type { Row } from '../../row.ts';
import type { OutageMeasurement } from './measurement.ts';

/** What was under way when a blow fell may still be taken and answered for so long after it, in milliseconds. */
const underWayMs = 250;

/**
 * Whether the outage was one: a fault that does nothing would let any system pass. What was struck is silent from
 * then until healing begins, and requests went around it.
 */
export function effectRows(m: OutageMeasurement): Row[] {
  const rows = [instancesSilent(m)];
  const strikesProxies = m.faults.some(({ struck }) => struck.some((name) => !m.entries.has(name)));
  // Of these two it must, so that nothing struck is a row that fails and not one that is missing.
  if (strikesProxies || m.outage === 'gateway' || m.outage === 'site') rows.push(proxiesSilent(m));
  // When a whole site is lost, nobody who could cross is left: the clients of the edge go to the other by themselves.
  if (m.outage !== 'site') rows.push(crossedInOutage(m));
  return rows;
}

/**
 * When each part that was struck must have fallen silent. What a stopped process answers once it goes on belongs to
 * the time after healing, as does what it takes then.
 */
function silentFrom(m: OutageMeasurement): Map<string, number> {
  return new Map(
    m.faults.flatMap(({ struck, moment }) => struck.map((name) => [name, moment.to + underWayMs] as const)),
  );
}

function instancesSilent(m: OutageMeasurement): Row {
  const silent = silentFrom(m);
  const isIn = (from: number | undefined, at: number) =>
    from !== undefined && at >= from && at < m.healed.from;
  const instances = [...m.entries.keys()].filter((name) => silent.has(name));
  const taken = instances.flatMap((name) =>
    (m.entries.get(name) ?? []).filter((entry) => isIn(silent.get(name), entry.at)),
  );
  const lostFrom = m.faults[0] && m.faults[0].moment.to + underWayMs;
  const answered = m.samples.filter(
    (s) => isIn(silent.get(s.instance), s.end) || (s.idc === m.lostIdc && isIn(lostFrom, s.end)),
  );
  const count = new Set([...taken, ...answered].map(({ id }) => id)).size;
  const spared = [...m.entries.keys()].filter(
    (name) => name.startsWith(`${m.lostIdc}/`) && !silent.has(name),
  );
  const elsewhere = instances.filter((name) => !name.startsWith(`${m.lostIdc}/`)).length;
  const complete = instances.length > 0 && spared.length === 0 && (m.outage !== 'partial' || elsewhere > 0);
  return {
    id: 'struck-instances-silent',
    claim: `Requests that the instances that were struck served from ${underWayMs} ms after the blow until healing`,
    bound: '0',
    measured: complete
      ? `${count} by ${instances.length} instances`
      : `${count}, but only ${instances.length} instances were struck`,
    ok: complete && count === 0,
  };
}

function proxiesSilent(m: OutageMeasurement): Row {
  const silent = silentFrom(m);
  const proxies = [...silent.keys()].filter((name) => !m.entries.has(name));
  const logged = m.access.filter(
    ({ proxy, at }) =>
      !m.entries.has(proxy) && at >= (silent.get(proxy) ?? Number.POSITIVE_INFINITY) && at < m.healed.from,
  ).length;
  return {
    id: 'struck-proxies-silent',
    claim: `Requests that the gateways that were struck took from ${underWayMs} ms after the blow until healing`,
    bound: '0',
    measured: `${logged} at ${proxies.length} Envoys (${proxies.join(', ')})`,
    // One of either side in `gateway`, all of one site in `site`.
    ok: logged === 0 && proxies.length >= 2,
  };
}

function crossedInOutage(m: OutageMeasurement): Row {
  const outage = phaseOf(m, 'outage');
  const due = m.samples.filter((s) => s.due >= (m.faults[0]?.moment.to ?? outage.to) && s.due < outage.to);
  const ids = new Set(m.access.filter((line) => line.listener === 'peer').map((line) => line.id));
  const crossed = due.filter(({ id }) => ids.has(id)).length;
  return {
    id: 'outage-crossed',
    claim: 'Requests of the outage that crossed to the other IDC',
    bound: '> 0',
    measured: `${crossed} of ${due.length}`,
    ok: crossed > 0,
  };
}
