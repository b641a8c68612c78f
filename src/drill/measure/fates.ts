import { latencyMs, type Sample, succeeded } from '../load/sample.ts';
import type { Measurement } from './measurement.ts';

/** What became of a request of the load. */
type Fate = 'served' | 'failed' | 'lost in flight' | 'refused';

/**
 * A killed gateway takes with it the lines of its access log that it had not written yet (it writes every 100
 * ms) and those of the requests it was working on, which go on elsewhere: requests that were under way within
 * this long before or after its death are held to the other logs only. Of a killed instance's sidecar the
 * same lines are missing.
 */
export const lostLinesMs = { before: 250, after: 1500 } as const;

/**
 * How long after a site's death a client may still write to a connection whose end it has not been told of
 * yet.
 */
const inFlightSlackMs = 100;

/**
 * Whether a failed request was in flight inside a site that died: it was written to a
 * connection into that site that was established before the fault, and it was sent before the site was gone.
 * The slack is for the client's event loop, which learns of the end of a connection a moment later. Or its
 * client died with the site: what that still tried while the fault was injected, part after part, was inside
 * from its beginning.
 */
function wasInFlight(sample: Sample, m: Measurement): boolean {
  if (!m.lostSite || succeeded(sample)) return false;
  const { died: injected, prefix } = m.lostSite;
  const client = m.streams.find((facts) => facts.stream === sample.stream)?.killed;
  if (client !== undefined && sample.end >= injected.from && sample.end <= client.to) return true;
  if (!sample.target.startsWith(prefix)) return false;
  const before = sample.connectedAt > 0 && sample.connectedAt <= injected.to;
  return before && sample.sent <= injected.to + inFlightSlackMs && sample.end >= injected.from;
}

/** What became of a sample. */
export function fateOf(sample: Sample, m: Measurement): Fate {
  if (succeeded(sample)) return 'served';
  if (wasInFlight(sample, m)) return 'lost in flight';
  // An instance that is starting may break a connection, of which no proxy can say that nobody is there.
  return mayBeRefused(sample, m) && sample.status === 503 ? 'refused' : 'failed';
}

/** A proxy's own 503 that says why. */
export function isCleanRefusal({ status, outcome }: Sample): boolean {
  return status === 503 && outcome === 'no-idc';
}

/** Whether some of the time of a request lay in the span in which nobody could serve its host. */
function mayBeRefused(sample: Sample, m: Measurement): boolean {
  const { refusing } = m;
  if (!refusing || sample.end < refusing.from || sample.due > refusing.to) return false;
  return refusing.hosts.includes(hostOfRequest(sample.id, m));
}

/** The host that a request asked for, by its number in its load's plan; '' for one of no load. */
export function hostOfRequest(id: string, m: Measurement): string {
  const at = id.lastIndexOf(':');
  const hosts = m.streams.find((facts) => facts.stream === id.slice(0, at))?.hosts ?? [];
  return hosts[Number(id.slice(at + 1)) % hosts.length] ?? '';
}

/**
 * Of a client that was killed, only what was due this long before its death may lack a record, in
 * milliseconds.
 */
export const unrecordedMs = 300;

/**
 * Requests of clients that were killed with their site, of which nothing was recorded though they were due
 * before.
 */
export function unrecorded(m: Measurement): { readonly id: string; readonly beforeDeathMs: number }[] {
  return m.streams.flatMap((facts) => {
    const { killed, stream } = facts;
    if (!killed) return [];
    const seen = new Set(m.samples.filter((s) => s.stream === stream).map((s) => s.id));
    const missing = [];
    for (let n = 0; n < facts.planned && facts.due(n) <= killed.to; n += 1) {
      const id = `${stream}:${n}`;
      if (!seen.has(id)) missing.push({ id, beforeDeathMs: killed.from - facts.due(n) });
    }
    return missing;
  });
}

/** Samples that were due in a span of the machine's clock. */
export function dueIn(samples: readonly Sample[], span: { from: number; to: number }): Sample[] {
  return samples.filter((sample) => sample.due >= span.from && sample.due < span.to);
}

/** Latencies of successes. A failure has no latency: it is counted where success is. */
export function latenciesOf(samples: readonly Sample[]): number[] {
  return samples.filter(succeeded).map(latencyMs);
}

/** A measurement without TCP, of which access logs tell nothing: connections carry no id. */
export function withoutTcp<M extends Measurement>(m: M): M {
  const samples = m.samples.filter(({ call }) => !call?.kind.startsWith('tcp'));
  const streams = new Set(samples.map(({ stream }) => stream));
  return {
    ...m,
    samples,
    streams: m.streams.filter(({ stream }) => streams.has(stream)),
    entries: new Map([...m.entries].filter(([, list]) => !list.some(({ method }) => method === 'TCP'))),
  };
}
