import { z } from 'zod';
import type { LossMeasurement } from '../../faults/loss.ts';
import { phaseOf } from '../../judge/analysis.ts';
import { beginningsOf } from '../../judge/circles.ts';
import { type Evidence, evidenceOf, excuseOf } from '../../judge/excuse.ts';
import { couldBeServed, type Outages, outagesOf, type Span } from '../../judge/reach.ts';
import { percent, type Row } from '../../judge/row.ts';
import { successRow } from '../../judge/rows.ts';
import { type Sample, succeeded } from '../../load/sample.ts';
import { type Execution, executionsOf, isReplayable } from '../../measure/executions.ts';
import { dueIn, fateOf, hostOfRequest, isCleanRefusal, unrecorded } from '../../measure/fates.ts';
import { parseShare, percentage, phaseName } from '../document/fields.ts';
import type { ScenarioMeasurement } from '../measurement.ts';
import { bound } from './bound.ts';
import { wasFull } from './spilled.ts';

/** Failed requests, whatever the reason, except those in flight inside a site that was killed. */
export const failedBound = bound(
  z
    .union([z.literal(0), percentage], { error: "must be 0 or a percentage such as '0.1%'." })
    .meta({ description: 'The largest share of requests that may fail.' }),
  (m, most) => [successRow(m, most === 0 ? 1 : 1 - parseShare(most), apartOf(m))],
);

/** The share of a load's requests of a phase that succeed. */
export const servedBound = bound(
  z
    .array(z.strictObject({ load: z.string(), in: phaseName, least: percentage }))
    .min(1)
    .meta({ description: 'The least share of the requests of a load that must succeed in a phase.' }),
  (m, list) =>
    list.map(({ load, in: name, least }): Row => {
      const due = dueIn(m.samples, phaseOf(m, name)).filter(({ stream }) => stream === load);
      const share = due.length === 0 ? 0 : due.filter(succeeded).length / due.length;
      return {
        id: `served-${load}-${name.replaceAll(' ', '-')}`,
        claim: `Requests of ${load} that succeed in the ${name}`,
        bound: `≥ ${least}`,
        measured: `${percent(share)} of ${due.length}`,
        ok: share >= parseShare(least),
      };
    }),
);

/** Reported beside the success rate when a site died: requests that are not counted in it. */
function apartOf(m: ScenarioMeasurement): string {
  if (!m.lostSite) return '';
  const inFlight = m.samples.filter((sample) => fateOf(sample, m) === 'lost in flight').length;
  return `; not counted: ${inFlight} in flight inside ${m.lostIdc} when it died, ${unrecorded(m).length} of its own callers`;
}

/**
 * Requests that failed although some IDC could have served them
 * (docs/decisions/085-what-may-fail-with-what-died.md).
 */
export const avoidableBound = bound(
  z.literal(0, { error: 'must be 0.' }).meta({
    description:
      'No request fails that some IDC could have served, by the logs of what it was sent to and executed on, and by which instances were up.',
  }),
  (m) => [avoidableRow(m)],
);

/** A failed request, and why it could not have been served; without `why` it could. */
interface Failure {
  readonly sample: Sample;
  readonly why?: string;
}

/** All failed requests, each with its reason if there is one. */
export function failuresOf(m: ScenarioMeasurement): Failure[] {
  const loss: LossMeasurement = { ...m, faults: m.losses };
  const evidence = evidenceOf(loss, executionsOf(loss));
  const outages = outagesOf(
    loss,
    m.leaves,
    m.cuts.map(({ from, to, injected, healed }) => ({
      from,
      to,
      span: { from: injected.from, to: healed.to },
    })),
  );
  const begun = beginningsOf(m);
  const isFull = wasFull(m);
  return m.samples
    .filter((sample) => !succeeded(sample))
    .map((sample) => {
      if (fateOf(sample, m) === 'lost in flight') return { sample, why: 'inside the site that died' };
      const home = begun.get(sample.id) ?? m.streams.find((each) => each.stream === sample.stream)?.idc ?? '';
      if (!couldBeServed(sample, home, loss, outages)) {
        return { sample, why: isCleanRefusal(sample) ? 'refused: no instance was up' : 'no instance was up' };
      }
      const group = hostOfRequest(sample.id, loss).split('.')[0] ?? '';
      if (isFull(sample, group) && !couldBeServed(sample, home, { ...loss, idcs: [home] }, outages))
        return { sample, why: 'refused: no instance had capacity' };
      const excuse =
        excuseOf(sample, loss, evidence)?.excuse ??
        cutExcuse(sample, home, m) ??
        leftExcuse(sample, home, m, outages) ??
        triesExcuse(sample, loss, evidence);
      return excuse === undefined ? { sample } : { sample, why: excuse };
    });
}

/**
 * How long after a cut a proxy may take a gateway behind it for alive, in milliseconds: PING between gateways
 * has timed out by then (decision 051).
 */
const cutFoundOutMs = 4000;

/**
 * Whether a request that must not be retried, or whose answer had begun, was sent to an IDC around the time
 * when the network to it was cut.
 */
function cutExcuse(sample: Sample, home: string, m: ScenarioMeasurement): string | undefined {
  if (isReplayable(sample) && sample.status !== 200) return undefined;
  const crossed = m.cuts.some(({ from, to, injected, healed }) => {
    if (from !== home && to !== home) return false;
    if (sample.end < injected.from || sample.sent > healed.to) return false;
    const far = from === home ? to : from;
    const gateways = Object.entries(m.addresses).flatMap(([name, list]) =>
      name.startsWith(`${far}/ingress-`) ? list : [],
    );
    return m.access.some(
      ({ id, listener, upstream = '', at }) =>
        id === sample.id &&
        (listener === 'sidecar' || listener === 'ingress') &&
        gateways.includes(upstream) &&
        at <= injected.to + cutFoundOutMs,
    );
  });
  return crossed ? 'sent over a network that was cut' : undefined;
}

/**
 * How long a control plane that runs again may need until its proxies have what it missed, in milliseconds.
 */
const caughtUpMs = 5_000;

/**
 * Until when the proxies of an IDC may not have a change made at `at`: later if its control plane was stopped
 * or dead at that time.
 */
function knownAt(idc: string, at: number, { losses }: Pick<ScenarioMeasurement, 'losses'>): number {
  const over = losses.filter(
    ({ planes, injected, healed }) => planes?.includes(idc) && injected.from <= at && healed.to >= at,
  );
  return Math.max(at, ...over.map(({ healed }) => healed.to + caughtUpMs));
}

/**
 * A TCP connection that leaves an evacuated IDC is accepted before it is known whether anybody is there
 * (decision 097).
 */
function leftExcuse(
  { call, sent, end, id }: Sample,
  home: string,
  m: ScenarioMeasurement,
  { spans }: Outages,
): string | undefined {
  const { evacuations = [] } = m;
  if (!call?.kind.startsWith('tcp')) return undefined;
  const overlaps = ({ from, to }: Span) => from <= end && to >= sent;
  if (!evacuations.some((each) => each.idc === home && overlaps({ ...each, to: knownAt(home, each.to, m) })))
    return undefined;
  const group = hostOfRequest(id, m).split('.')[0] ?? '';
  const others = Object.keys(m.addresses).filter(
    (name) => !name.startsWith(`${home}/`) && name.includes(`/${group}-`),
  );
  const out = others.length === 0 || others.some((name) => (spans.get(name) ?? []).some(overlaps));
  return out ? 'TCP from an evacuated IDC to one that had no instance, or had lost some' : undefined;
}

/** Tries of the first proxy: one, plus the default of `retries`. */
const triesMax = 4;

/**
 * How many struck instances and gateways a request must have been sent to before its tries may be exhausted.
 */
const metMin = 2;

/**
 * Whether all tries were used, and several of them went to struck instances or gateways: with two faults at
 * once, no working path may be found within the tries.
 */
function triesExcuse(
  sample: Sample,
  m: LossMeasurement,
  { executions, lines }: Evidence,
): string | undefined {
  const own = lines.get(sample.id) ?? [];
  if (
    !own.some(
      ({ listener, attempts }) => (listener === 'outbound' || listener === 'edge') && attempts >= triesMax,
    )
  )
    return undefined;
  const out = m.faults
    .filter(({ injected, healed }) => sample.end >= injected.from && sample.sent <= healed.to)
    .flatMap(({ struck }) => struck);
  const met = new Set([
    ...(executions.get(sample.id) ?? []).map(({ instance }) => instance),
    ...own.flatMap(({ upstream = '' }) =>
      Object.keys(m.addresses).filter((name) => m.addresses[name]?.includes(upstream)),
    ),
  ]);
  return out.filter((name) => met.has(name)).length >= metMin
    ? 'all tries used, several of them on struck instances or gateways'
    : undefined;
}

function avoidableRow(m: ScenarioMeasurement): Row {
  const failures = failuresOf(m);
  const lost = failures.filter(({ why }) => why === undefined);
  const told = [...Map.groupBy(failures, ({ why }) => why)].flatMap(([why, list]) =>
    why === undefined ? [] : [`${list.length} ${why}`],
  );
  return {
    id: 'avoidable',
    claim: 'Requests that failed although some IDC could have served them',
    bound: '0',
    measured:
      `${lost.length} of ${m.samples.length}${exampleOf(lost.map(({ sample }) => sample))}` +
      (told.length > 0 ? `; others that failed: ${told.join(', ')}` : ''),
    ok: m.samples.length > 0 && lost.length === 0,
  };
}

/** Requests that must not be executed twice, because a second execution may do harm. */
export const executedTwiceBound = bound(
  z
    .literal(0, { error: 'must be 0.' })
    .meta({ description: 'No request other than a GET is executed more than once.' }),
  (m) => [executedTwiceRow(m)],
);

/** Samples that were executed more than once and must not be. */
export function executedTwiceOf(
  m: ScenarioMeasurement,
  executions: ReadonlyMap<string, readonly Execution[]> = executionsOf({ ...m, faults: m.losses }),
): Sample[] {
  return m.samples.filter((sample) => !isReplayable(sample) && (executions.get(sample.id)?.length ?? 0) > 1);
}

function executedTwiceRow(m: ScenarioMeasurement): Row {
  const judged = m.samples.filter((sample) => !isReplayable(sample));
  const twice = executedTwiceOf(m);
  return {
    id: 'executed-twice',
    claim: 'Requests other than GETs that were executed more than once',
    bound: '0',
    measured: `${twice.length} of ${judged.length}${exampleOf(twice)}`,
    ok: judged.length > 0 && twice.length === 0,
  };
}

function exampleOf(list: readonly Sample[]): string {
  const [first] = list;
  if (!first) return '';
  const ids = list.slice(0, 5).map(({ id }) => id);
  return ` (${ids.join(', ')}${list.length > 5 ? ', …' : ''}; the first: ${first.error.slice(0, 160) || `status ${first.status}`})`;
}
