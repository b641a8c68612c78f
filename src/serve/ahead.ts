import type { Clock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { encodeResource, type ResourceJson } from './codec.ts';

// A slice: short beside the seconds after which a connection counts as dead.
const sliceMs = 20;

/**
 * Encodes resources a slice at a time, with all else that waits in between, and then calls `done`: a hundred
 * thousand at once would keep the process from reading for so long that its connections are taken for dead.
 * `apply` finds what was encoded by the object that it is given. What cannot be encoded is left to it to refuse.
 */
export function encodeAhead(resources: readonly ResourceJson[], clock: Clock, done: () => void): void {
  let next = 0;
  const slice = () => {
    const end = clock.now() + sliceMs;
    for (; next < resources.length && clock.now() < end; next += 1)
      encodeOne(resources[next] as ResourceJson);
    if (next < resources.length) clock.after(0, slice);
    else done();
  };
  slice();
}

function encodeOne(resource: ResourceJson): void {
  try {
    encodeResource(resource);
  } catch (error) {
    if (MeshError.from(error).code !== 'invalid') throw error;
  }
}
