import type { LossMeasurement } from '../faults/loss.ts';
import type { Sample } from '../load/sample.ts';
import { hostOfRequest } from '../measure/fates.ts';

/**
 * A lost part counts as lost for this long after it answers again, in milliseconds: proxies must learn of it
 * first.
 */
const learnedMs = 5000;

/** Spans of time in which something was out of service. */
export interface Outages {
  /** By instance or gateway, such as `sh-a/egress-1`. */
  readonly spans: ReadonlyMap<string, readonly Span[]>;
  /** Ways between IDCs. */
  readonly ways: readonly ClosedWay[];
}

/** A way between two IDCs that is closed to packets, in one direction. */
interface ClosedWay {
  readonly from: string;
  readonly to: string;
  readonly span: Span;
}

export interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * What was out of service when: what was struck, what had left its registry (`away`), and ways between IDCs.
 */
export function outagesOf(
  { faults }: Pick<LossMeasurement, 'faults'>,
  away: readonly { readonly instance: string; readonly from: number; readonly to: number }[] = [],
  ways: readonly ClosedWay[] = [],
): Outages {
  const all = [
    ...faults.flatMap(({ struck, injected, healed, healthyAt }) => {
      const to =
        (Number.isNaN(healthyAt) ? Number.POSITIVE_INFINITY : Math.max(healthyAt, healed.to)) + learnedMs;
      return struck.map((name) => ({ name, span: { from: injected.from, to } }));
    }),
    ...away.map(({ instance, from, to }) => ({ name: instance, span: { from, to: to + learnedMs } })),
  ];
  const spans = new Map<string, Span[]>();
  for (const { name, span } of all) spans.set(name, [...(spans.get(name) ?? []), span]);
  return {
    spans,
    ways: ways.map(({ span, ...way }) => ({ ...way, span: { ...span, to: span.to + learnedMs } })),
  };
}

/**
 * Whether a request could have been served during its whole life: by an instance of its Group in its own IDC
 * or in another one and, on the way there, an egress gateway of its own IDC and an ingress gateway of the
 * other. `home`: the IDC where it entered. Evaluated at the ends of spans, between which nothing changes.
 */
export function couldBeServed(
  sample: Sample,
  home: string,
  m: Pick<LossMeasurement, 'entries' | 'addresses' | 'streams' | 'idcs'>,
  outages: Outages,
): boolean {
  const group = hostOfRequest(sample.id, m as LossMeasurement).split('.')[0] ?? '';
  const up = (name: string, at: number) =>
    !(outages.spans.get(name) ?? []).some(({ from, to }) => at >= from && at < to);
  const of = (idc: string, kind: string, at: number) =>
    Object.keys(m.addresses).some((name) => name.startsWith(`${idc}/${kind}-`) && up(name, at));
  // A connection needs both directions.
  const isOpen = (a: string, b: string, at: number) =>
    !outages.ways.some(
      ({ from, to, span }) => at >= span.from && at < span.to && [a, b].includes(from) && [a, b].includes(to),
    );
  const served = (at: number) =>
    m.idcs.some((idc) => {
      if (!of(idc, group, at)) return false;
      if (idc === home) return true;
      return of(home, 'egress', at) && of(idc, 'ingress', at) && isOpen(home, idc, at);
    });
  return momentsOf(sample, outages).every(served);
}

/**
 * When a request was sent, and every moment of its life at which something went out of service or came back.
 */
function momentsOf({ sent, end }: Sample, { spans, ways }: Outages): number[] {
  const all = [...[...spans.values()].flat(), ...ways.map(({ span }) => span)];
  const edges = all.flatMap(({ from, to }) => [from, to]);
  return [sent, ...edges.filter((at) => at > sent && at <= end)];
}
