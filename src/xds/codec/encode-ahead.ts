import type { Clock } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { encodeResource, type ResourceJson } from './codec.ts';

// Short beside the seconds after which a connection counts as dead.
const sliceMs = 20;

interface Job {
  readonly resources: readonly ResourceJson[];
  readonly isWanted: () => boolean;
  readonly done: () => void;
  next: number;
}

/**
 * Encodes resources in slices, and then calls `done`. A hundred thousand at once would keep the process from
 * reading for so long that its connections count as dead. Each turn of the event loop runs one slice,
 * round-robin over the jobs; a cancelled job is dropped. `apply` finds the encoded form by object identity,
 * and reports what could not be encoded.
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
