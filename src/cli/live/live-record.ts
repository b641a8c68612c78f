import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { replaceFileSync } from '../../base/files/replace-file.ts';
import { liveReport } from './live-report.ts';
import type { LiveEnd, LivePhase, LiveRun } from './live-run.ts';

/** The record of a run, written at each change: `run.json`, and `report.txt` for people. */
export interface LiveRecord {
  readonly dir: string;
  event(words: string): void;
  phase(phase: LivePhase): void;
  end(how: LiveEnd, why: string, isUndone: boolean): void;
}

/**
 * Creates a record in a new folder below `parent`. Throws MeshError `unavailable` if it cannot be written;
 * later `onFault` is called once, and the run goes on.
 */
export function createLiveRecord(
  parent: string,
  about: Omit<LiveRun, 'began' | 'phases' | 'events' | 'end'>,
  clock: Clock,
  onFault: (words: string) => void,
): LiveRecord {
  const now = () => new Date(clock.wall()).toISOString();
  const began = now();
  const dir = join(parent, `${began.replaceAll(/[:.]/g, '-')}-${about.evacuation}`);
  let run: LiveRun = { ...about, began, phases: [], events: [] };
  let isTold = false;
  try {
    mkdirSync(dir, { recursive: true });
    write();
  } catch (cause) {
    const message = `the record cannot be written: ${(cause as Error).message}; choose another folder with --record-dir`;
    throw new MeshError('unavailable', message, { cause });
  }

  function write(): void {
    const how = { mode: 0o644, isDurable: true };
    replaceFileSync(join(dir, 'run.json'), `${JSON.stringify(run, null, 2)}\n`, how);
    replaceFileSync(join(dir, 'report.txt'), liveReport(run), how);
  }

  function change(more: Partial<LiveRun>): void {
    run = { ...run, ...more };
    try {
      write();
    } catch (cause) {
      if (!isTold) onFault(`the record in ${dir} is incomplete: ${(cause as Error).message}`);
      isTold = true;
    }
  }

  return {
    dir,
    event: (words) => change({ events: [...run.events, { at: now(), words }] }),
    phase: (phase) => change({ phases: [...run.phases, phase] }),
    end: (how, why, isUndone) => change({ end: { at: now(), how, why, isUndone } }),
  };
}
