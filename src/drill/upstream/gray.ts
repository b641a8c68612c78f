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

/** The fate of a request at a gray instance. */
export type GrayFate = 'served' | 'refused' | 'hung';

/** The state of an instance, gray or healthy, which can be changed while it runs. */
interface Gray {
  set(grayness: Grayness): void;
  /** Decides the fate of the next request at random. */
  next(): GrayFate;
}

/** A healthy instance. The same seed gives the same fates. */
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
 * The path at which an instance is made gray, by PUT, as JSON; on its own socket, which no client of a proxy
 * can address.
 */
export const grayPath = '/drill/gray';

/** Makes an instance gray, or healthy again with {}. Rejects with MeshError if it is not accepted. */
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
