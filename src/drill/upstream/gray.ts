import { request } from 'node:http';
import { MeshError } from '../../base/error.ts';
import { seededRandom } from '../../base/random.ts';

/** What is wrong with an instance that passes its checks: shares of its requests, 0 to 1. */
export interface Grayness {
  /** Answered with 503 at once. */
  readonly errs?: number;
  /** Never answered. */
  readonly hangs?: number;
}

/** What becomes of a request at a gray instance. */
export type GrayFate = 'served' | 'refused' | 'hung';

/** An instance's own sickness, which can be changed while it runs. */
interface Gray {
  set(grayness: Grayness): void;
  /** Draws what becomes of the next request. */
  next(): GrayFate;
}

/** Nothing is wrong yet. The same seed draws the same fates. */
export function createGray(seed: number): Gray {
  const random = seededRandom(seed);
  let { errs = 0, hangs = 0 }: Grayness = {};
  return {
    set(grayness) {
      ({ errs = 0, hangs = 0 } = grayness);
    },
    next() {
      if (errs + hangs === 0) return 'served';
      const drawn = random();
      if (drawn < errs) return 'refused';
      return drawn < errs + hangs ? 'hung' : 'served';
    },
  };
}

/**
 * Where an instance takes its grayness, by PUT, as JSON; on its own socket, which no proxy's client can name.
 */
export const grayPath = '/drill/gray';

/** Makes an instance gray, or well again with {}. Rejects with MeshError when it does not take it. */
export function makeGray(socketPath: string, grayness: Grayness): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (why: string) =>
      reject(new MeshError('unavailable', `${socketPath} did not become gray: ${why}`));
    const sent = request({ socketPath, path: grayPath, method: 'PUT', agent: false }, (response) => {
      response.resume();
      response.on('end', () =>
        response.statusCode === 204 ? resolve() : failed(`status ${response.statusCode}`),
      );
    });
    sent.on('error', (error) => failed(error.message));
    sent.end(JSON.stringify(grayness));
  });
}
