import type { Call } from '../call/call.ts';
import type { LoadResult } from './callers/load-caller.ts';

/** One request of the load client, as it ended. Times in milliseconds of the machine's monotonic clock. */
export interface Sample extends LoadResult {
  /** Unique over the drill; sent as `x-drill-id`. */
  readonly id: string;
  /** Which load it belongs to, such as `caller-sh-a` or `edge`. */
  readonly stream: string;
  /** When it was due: fixed before the load began. */
  readonly due: number;
  /** When the client got round to sending it. */
  readonly sent: number;
  /** When its last byte had come, or it had failed. Latency is `end - due`. */
  readonly end: number;
  /** What it was in a mixed load. */
  readonly call?: Call;
}

/** A request succeeded when its own answer came, whole, with status 200. */
export function succeeded(sample: Sample): boolean {
  return sample.error === '' && sample.status === 200;
}

/** Latency in milliseconds, counted from when the request was due. */
export function latencyMs(sample: Sample): number {
  return sample.end - sample.due;
}

/** One line of a record file: a JSON array, so that tens of thousands stay small. */
export function formatSample(s: Sample): string {
  const micro = (ms: number) => Math.round(ms * 1000) / 1000;
  return JSON.stringify([
    s.id,
    micro(s.due),
    micro(s.sent),
    micro(s.end),
    s.status,
    s.idc,
    s.instance,
    s.target,
    micro(s.connectedAt),
    s.error,
    s.outcome ?? '',
    ...(s.gapMs === undefined ? [] : [micro(s.gapMs)]),
  ]);
}

/**
 * Reads record files. The last line of a client that was killed may be cut; it is left out.
 * Throws SyntaxError on any other damage.
 */
export function parseSamples(text: string, stream: string): Sample[] {
  const lines = text.split('\n');
  // What follows the last newline is '' or a line that was cut.
  lines.pop();
  return lines.map((line) => {
    const [id, due, sent, end, status, idc, instance, target, connectedAt, error, outcome, gapMs] =
      JSON.parse(line);
    const sample = { id, stream, due, sent, end, status, idc, instance, target, connectedAt, error };
    return { ...sample, ...(outcome && { outcome }), ...(gapMs !== undefined && { gapMs }) };
  });
}
