import { systemClock } from '../../src/base/clock.ts';
import type { Finding } from '../../src/model/finding.ts';
import { type Change, type MeshObject, refKey, refOf } from '../../src/model/object.ts';
import type { Sink } from '../../src/registry/source.ts';

/** A sink that remembers, and that tests wait on: they end as soon as what they wait for has happened. */
export class Recorder implements Sink {
  /** All that came, in order: batches of changes, and lists of problems. */
  readonly batches: (readonly Change[])[] = [];
  readonly reports: (readonly Finding[])[] = [];
  readonly #waiting = new Set<() => void>();

  changes(batch: readonly Change[]): void {
    this.batches.push(batch);
    for (const check of this.#waiting) check();
  }

  problems(list: readonly Finding[]): void {
    this.reports.push(list);
    for (const check of this.#waiting) check();
  }

  /** Resolves once `condition` holds; rejects with what was seen instead after `withinMs`. */
  until(what: string, condition: () => boolean, withinMs = 10_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (!condition()) return;
        this.#waiting.delete(check);
        timer.cancel();
        clearInterval(alive);
        resolve();
      };
      // The clock's timers do not keep a process alive, and a closed source has nothing else that would.
      const alive = setInterval(() => {}, 1000);
      const timer = systemClock.after(withinMs, () => {
        this.#waiting.delete(check);
        clearInterval(alive);
        const seen = JSON.stringify({ log: this.log(), problems: this.current() }, null, 1);
        reject(new Error(`waited ${withinMs} ms for ${what}; seen: ${seen}`));
      });
      this.#waiting.add(check);
      check();
    });
  }

  get all(): Change[] {
    return this.batches.flat();
  }

  /** One word for each change: `+kind/ns/name`, `-kind/ns/name`, `synced`. */
  log(): string[] {
    return this.all.map((change) => {
      if (change.type === 'synced') return 'synced';
      return change.type === 'delete' ? `-${refKey(change.ref)}` : `+${refKey(refOf(change.object))}`;
    });
  }

  /** How often the log has a word. */
  count(word: string): number {
    return this.log().filter((entry) => entry === word).length;
  }

  /** The objects in force, by key, as the changes leave them. */
  state(): Map<string, MeshObject> {
    const state = new Map<string, MeshObject>();
    for (const change of this.all) {
      if (change.type === 'upsert') state.set(refKey(refOf(change.object)), change.object);
      if (change.type === 'delete') state.delete(refKey(change.ref));
    }
    return state;
  }

  /** The problems that hold now. */
  current(): readonly Finding[] {
    return this.reports.at(-1) ?? [];
  }

  errors(): readonly Finding[] {
    return this.current().filter(({ severity }) => severity === 'error');
  }
}
