import type { Clock } from './clock.ts';

// Short beside the seconds after which a connection counts as dead.
const sliceMs = 20;

interface Job {
  readonly steps: Iterator<unknown>;
  readonly isWanted: () => boolean;
  readonly done: () => void;
}

/**
 * Does long work in slices, and then calls `done`. A hundred thousand steps at once would keep the process
 * from reading for so long that its connections count as dead. Each turn of the event loop runs one slice,
 * round-robin over the jobs; a job that is not wanted any more is dropped.
 */
export class WorkLine {
  readonly #clock: Clock;
  readonly #jobs: Job[] = [];
  #isDue = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `steps`: each is done when it is asked for, and short. */
  add(steps: Iterable<unknown>, isWanted: () => boolean, done: () => void): void {
    this.#jobs.push({ steps: steps[Symbol.iterator](), isWanted, done });
    if (!this.#isDue) this.#slice();
  }

  readonly #slice = (): void => {
    this.#isDue = false;
    const end = this.#clock.now() + sliceMs;
    while (this.#jobs.length > 0 && this.#clock.now() < end) {
      const job = this.#jobs.shift() as Job;
      if (!job.isWanted()) continue;
      let isDone = false;
      while (!isDone && this.#clock.now() < end) isDone = job.steps.next().done === true;
      if (!isDone) this.#jobs.push(job);
      else job.done();
    }
    if (this.#jobs.length === 0 || this.#isDue) return;
    this.#isDue = true;
    this.#clock.after(0, this.#slice);
  };
}
