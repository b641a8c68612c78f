import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import {
  createFilesSource,
  type FilesSource,
  type FilesTiming,
  filesTiming,
} from '../../src/registry/files/files-source.ts';
import { lossRule } from '../../src/registry/lastgood/loss-guard.ts';
import { Recorder } from './recorder.ts';

/** A folder of its own, gone after the test. */
export class TestFolder {
  readonly path: string;

  constructor(t: Test) {
    const parent = mkdtempSync(join(tmpdir(), 'isthmus-files-'));
    this.path = join(parent, 'mesh');
    mkdirSync(this.path);
    t.teardown(() => rmSync(parent, { recursive: true, force: true }));
  }

  at(name: string): string {
    return join(this.path, name);
  }

  /** Writes in place, as `cp` does. */
  write(name: string, text: string | Buffer): void {
    mkdirSync(dirname(this.at(name)), { recursive: true });
    writeFileSync(this.at(name), text);
  }

  /** Writes beside the folder and moves into place, as careful editors do. */
  replace(name: string, text: string): void {
    const beside = join(dirname(this.path), 'new');
    writeFileSync(beside, text);
    renameSync(beside, this.at(name));
  }

  append(name: string, text: string): void {
    appendFileSync(this.at(name), text);
  }

  move(from: string, to: string): void {
    renameSync(this.at(from), this.at(to));
  }

  remove(...names: readonly string[]): void {
    for (const name of names) rmSync(this.at(name), { recursive: true });
  }
}

/**
 * The rules of the product, but for waits that a test has no time for, and without the rescan: it would find
 * in the end what an event should have told at once.
 */
export const testTiming: FilesTiming = {
  ...filesTiming,
  rescanMs: 60_000,
  loss: { ...lossRule, windowMs: 300, soleMs: 0 },
};

/** A files source that has synced, and what it tells. It stops after the test. */
export async function startSource(
  t: Test,
  folder: string,
  timing: Partial<FilesTiming> = testTiming,
): Promise<{ source: FilesSource; seen: Recorder; stop: () => void }> {
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  const seen = new Recorder();
  const source = createFilesSource({ folder, clock: systemClock }, timing);
  await source.start(seen, stop.signal);
  return { source, seen, stop: () => stop.abort() };
}
