import { constants, PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Heap } from '../../plane/memory.ts';

// Of V8 on 64 bits; young memory has three of them.
const semiSpaceMiBDefault = 64;

/**
 * The heap of this process, but for young memory: it is the old that runs out. What it holds is read after
 * each collection that V8 makes of the whole.
 */
export function watchHeap(): Heap {
  let [bytes, collections] = [0, 0];
  const observer = new PerformanceObserver((list) => {
    const isWhole = (entry: object) =>
      (entry as { detail?: { kind?: number } }).detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
    if (!list.getEntries().some(isWhole)) return;
    bytes = oldBytes();
    collections += 1;
  });
  observer.observe({ entryTypes: ['gc'] });
  return {
    limitBytes: getHeapStatistics().heap_size_limit - 3 * semiSpaceMiB() * 2 ** 20,
    used: () => ({ bytes, collections }),
    collect: collector(),
  };
}

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

/** V8's collection of the whole heap. It is handed out to contexts that are made while its flag is set. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext("typeof gc === 'function' ? gc : undefined");
  setFlagsFromString('--no-expose-gc');
  return typeof gc === 'function' ? () => void gc() : () => {};
}
