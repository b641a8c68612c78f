import type { Row } from '../../judge/row.ts';
import type { AccessLine } from '../../measure/measurement.ts';
import type { LoopMeasurement } from './facts.ts';
import { hopeless } from './rows.ts';

/**
 * So long after the fault every proxy knows: checks have failed, withdrawals have been ACKed. In
 * milliseconds.
 */
const settledMs = 3_000;

/**
 * Whether an IDC answered that it had nobody at all; one that could not reach its instances says something
 * else.
 */
function wasTold(line: AccessLine): boolean {
  return line.flags.split(',').includes('UH');
}

/**
 * With one other IDC, no request crosses again after that one answered that it has no instance; and once all
 * proxies know, none crosses more than once for any reason. Both count all tries of a request, by its id at
 * the peer listeners.
 */
export function onceRows(m: LoopMeasurement): Row[] {
  const entries = new Map<string, AccessLine[]>();
  for (const line of m.access) {
    if (line.listener !== 'peer' || line.id === '') continue;
    entries.set(line.id, [...(entries.get(line.id) ?? []), line]);
  }
  const told = [...entries.values()].filter((lines) => lines.some(wasTold));
  // A try that began before the answer could not know it: it ran beside one with a slow answer.
  const again = told.filter((lines) =>
    lines.some(
      (one) => wasTold(one) && lines.some((next) => next !== one && next.at >= one.at + one.durationMs),
    ),
  );
  const from = m.hopeless.from + settledMs;
  const late = hopeless(m).flatMap(({ id, due }) => (due >= from ? [entries.get(id)?.length ?? 0] : []));
  const crossed = late.filter((count) => count > 0).length;
  const often = late.filter((count) => count > 1).length;
  return [
    {
      id: 'crossed-again',
      claim: 'Requests that crossed again after the other IDC had answered that it has no instance',
      bound: '0',
      measured: `${again.length} (of ${told.length} with that answer)`,
      ok: told.length > 0 && again.length === 0,
    },
    {
      id: 'crossed-more-than-once',
      claim: `Requests that crossed more than once in all tries, from ${settledMs / 1000} s after the fault`,
      bound: '0',
      measured: `${often} (of ${crossed} that crossed, and ${late.length} that no IDC could serve)`,
      ok: crossed > 0 && often === 0,
    },
  ];
}
