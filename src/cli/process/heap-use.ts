import { constants, PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { systemClock } from '../../base/clock.ts';
import type { Heap } from '../../plane/memory.ts';

// V8's default on 64 bits; young memory has three of them.
const semiSpaceMiBDefault = 64;

/**
 * The heap of this process, but for young memory: it is the old that runs out. What is live is read after
 * each collection that V8 makes of the whole.
 *
 * V8 ends a process from 80 % of its limit on where four collections in a row have taken most of the time, as
 * they do where others have the processors. That is switched off: who watches sheds load instead.
 */
export function watchHeap(): Heap {
  let [bytes, collections, readAt] = [0, 0, 0];
  const read = () => {
    bytes = oldBytes();
    collections += 1;
    readAt = systemClock.now();
  };
  const observer = new PerformanceObserver((list) => {
    const isWhole = (entry: object) =>
      (entry as { detail?: { kind?: number } }).detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
    // What was read already is told here a second time.
    if (list.getEntries().some((entry) => isWhole(entry) && entry.startTime > readAt)) read();
  });
  observer.observe({ entryTypes: ['gc'] });
  const collect = collector();
  setFlagsFromString('--no-detect-ineffective-gcs-near-heap-limit');
  return {
    limitBytes: getHeapStatistics().heap_size_limit - 3 * semiSpaceMiB() * 2 ** 20,
    used: () => ({ bytes, collections }),
    filled: oldBytes,
    collect() {
      collect();
      read();
    },
  };
}

/** Bytes of old objects, live or not: some microseconds. */
function oldBytes(): number {
  return getHeapSpaceStatistics().reduce(
    (sum, { space_name, space_used_size }) => (space_name.startsWith('new_') ? sum : sum + space_used_size),
    0,
  );
}

function semiSpaceMiB(): number {
  const flags = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].join(' ');
  return Number(/--max[-_]semi[-_]space[-_]size=(\d+)/.exec(flags)?.[1] ?? semiSpaceMiBDefault);
}

/** V8's full collection. Contexts created while its flag is set have it. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext("typeof gc === 'function' ? gc : undefined");
  setFlagsFromString('--no-expose-gc');
  return typeof gc === 'function' ? () => void gc() : () => {};
}
