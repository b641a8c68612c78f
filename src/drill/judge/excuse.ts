import type { FaultKind, InjectedFault, LossMeasurement } from '../faults/loss.ts';
import type { Sample } from '../load/sample.ts';
import { type Execution, isReplayable, underWayMs, wasStruck } from '../measure/executions.ts';
import { hostOfRequest } from '../measure/fates.ts';
import type { AccessLine } from '../measure/measurement.ts';

/** Why a failed request could not have been saved. */
export type Excuse =
  | 'was being executed on what died'
  | 'its answer from what died had begun'
  | 'was sent to what died'
  | 'the gateway that it had entered died'
  | 'a gateway on its possible path died'
  | 'its body exceeds the retry buffer'
  | 'TCP to a stopped process, whose kernel accepts connections';

/** Up to this size a body is kept so that it can be sent again: the default of `retryBodyLimit`, in bytes. */
const keptBytes = 4 * 1024 * 1024;

/**
 * For so long after a fault a proxy may take what was struck for alive and send to it, in milliseconds:
 * connections of a killed process are reset at once; a stopped one is found out by a failed health check (0.5
 * s between two, 3 in a row, each up to 0.5 s late).
 */
const foundOutMs: Readonly<Record<FaultKind, number>> = { kill: underWayMs, stop: 3000, drop: 3000 };

/** A connection that was never made has sent nothing (Envoy's flags UF, UH, NR, NC). */
const neverSent = /\b(?:UF|UH|NR|NC)\b/;

/** Evidence looked up for each failed request. */
export interface Evidence {
  readonly executions: ReadonlyMap<string, readonly Execution[]>;
  /** Lines of the proxies on their way, but for instances' own, by id. */
  readonly lines: ReadonlyMap<string, readonly AccessLine[]>;
}

/** Collects it. */
export function evidenceOf(
  m: LossMeasurement,
  executions: ReadonlyMap<string, readonly Execution[]>,
): Evidence {
  const lines = m.access.filter(({ listener }) => listener !== 'inbound');
  return { executions, lines: Map.groupBy(lines, ({ id }) => id) };
}

/** The fault that may excuse a failed request, with the excuse; undefined if it should have been served. */
export function excuseOf(
  sample: Sample,
  m: LossMeasurement,
  evidence: Evidence,
): { readonly fault: InjectedFault; readonly excuse: Excuse } | undefined {
  for (const fault of m.faults) {
    // Healing is no excuse, nor what ended before.
    if (sample.end < fault.injected.from || sample.sent > fault.healed.to) continue;
    const excuse = excuseBy(sample, fault, m, evidence);
    if (excuse) return { fault, excuse };
  }
  return undefined;
}

function excuseBy(
  sample: Sample,
  fault: InjectedFault,
  m: LossMeasurement,
  { executions, lines }: Evidence,
): Excuse | undefined {
  const struck = (executions.get(sample.id) ?? []).some((execution) => wasStruck(execution, fault));
  // The client has got a head: nobody can take it back.
  if (struck && sample.status === 200) return 'its answer from what died had begun';
  if (struck && !isReplayable(sample)) return 'was being executed on what died';
  if (sample.call?.kind.startsWith('tcp')) return tcpExcuse(sample, fault, m);
  const addresses = fault.struck.flatMap((name) => m.addresses[name] ?? []);
  // Only its client knew of it, which sends nothing twice.
  if (addresses.includes(sample.target) && sample.connectedAt > 0)
    return 'the gateway that it had entered died';
  const until = fault.injected.to + foundOutMs[fault.kind];
  const there = (lines.get(sample.id) ?? []).filter(
    ({ upstream = '', at }) => addresses.includes(upstream) && at <= until,
  );
  if (there.length === 0) return undefined;
  if (sample.status === 200) return 'its answer from what died had begun';
  if (!isReplayable(sample) && there.some(({ flags }) => !neverSent.test(flags)))
    return 'was sent to what died';
  return (sample.call?.bodyBytes ?? 0) > keptBytes ? 'its body exceeds the retry buffer' : undefined;
}

/** A TCP connection has no access log line with its id: only its target and time are known. */
function tcpExcuse(sample: Sample, fault: InjectedFault, m: LossMeasurement): Excuse | undefined {
  const group = hostOfRequest(sample.id, m).split('.')[0];
  const home = m.streams.find(({ stream }) => stream === sample.stream)?.idc ?? '';
  const isOnItsWay = (name: string) =>
    name.startsWith(`${home}/egress-`) || (name.includes('/ingress-') && !name.startsWith(`${home}/`));
  if (fault.struck.some(isOnItsWay) && sample.sent <= fault.injected.to + foundOutMs[fault.kind])
    return 'a gateway on its possible path died';
  if (!fault.struck.some((name) => name.split('/')[1]?.startsWith(`${group}-`))) return undefined;
  if (sample.sent <= fault.injected.to + underWayMs) return 'was sent to what died';
  return fault.kind === 'stop' ? 'TCP to a stopped process, whose kernel accepts connections' : undefined;
}
