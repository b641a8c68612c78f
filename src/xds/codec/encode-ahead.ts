import type { Clock } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { encodeResource, type ResourceJson } from './codec.ts';

// A slice: short beside the seconds after which a connection counts as dead.
const sliceMs = 20;

interface Job {
  readonly resources: readonly ResourceJson[];
  readonly isWanted: () => boolean;
  readonly done: () => void;
  next: number;
}

/**
 * Encodes resources a slice at a time, with all else that waits in between, and then calls `done`: a hundred
 * thousand at once would keep the process from reading for so long that its connections are taken for dead.
 * However many are to be encoded, there is one slice in a turn of the event loop, and each has its turn; who
 * is not wanted any more is left.
 * `apply` finds what was encoded by the object that it is given. What cannot be encoded is left to it to
 * refuse.
 */
export class EncodeLine {
  readonly #clock: Clock;
  readonly #jobs: Job[] = [];
  #isDue = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(resources: readonly ResourceJson[], isWanted: () => boolean, done: () => void): void {
    this.#jobs.push({ resources, isWanted, done, next: 0 });
    if (!this.#isDue) this.#slice();
  }

  readonly #slice = (): void => {
    this.#isDue = false;
    const end = this.#clock.now() + sliceMs;
    while (this.#jobs.length > 0 && this.#clock.now() < end) {
      const job = this.#jobs.shift() as Job;
      if (!job.isWanted()) continue;
      for (; job.next < job.resources.length && this.#clock.now() < end; job.next += 1)
        encodeOne(job.resources[job.next] as ResourceJson);
      if (job.next < job.resources.length) this.#jobs.push(job);
      else job.done();
    }
    if (this.#jobs.length === 0 || this.#isDue) return;
    this.#isDue = true;
    this.#clock.after(0, this.#slice);
  };
}

function encodeOne(resource: ResourceJson): void {
  try {
    encodeResource(resource);
  } catch (error) {
    if (MeshError.from(error).code !== 'invalid') throw error;
  }
}
