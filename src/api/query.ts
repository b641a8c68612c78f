import { MeshError } from '../base/error.ts';
import { didYouMean } from '../base/suggest.ts';
import { parseDurationMs } from '../model/values/duration.ts';

/** What a request says of waiting for proxies. */
export interface Wait {
  readonly acked: boolean;
  readonly timeoutMs: number;
}

const timeoutMsDefault = 30_000;
const timeoutMsMax = 600_000;

/** Reads `wait=acked` and `timeout=30s`. Throws MeshError `invalid`. */
export function readWait(query: URLSearchParams): Wait {
  const wait = query.get('wait');
  if (wait !== null && wait !== 'acked')
    throw new MeshError('invalid', `wait=${wait}: give wait=acked, or leave it out`);
  const text = query.get('timeout');
  const timeoutMs = text === null ? timeoutMsDefault : parseDurationMs(text);
  if (timeoutMs === undefined || timeoutMs > timeoutMsMax)
    throw new MeshError('invalid', `timeout=${text}: give a duration of at most 10m, such as 30s`);
  return { acked: wait === 'acked', timeoutMs };
}

/** Reads a positive whole number. Throws MeshError `invalid`. */
export function positive(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const number = Number(text);
  if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(number) || number < 1)
    throw new MeshError('invalid', `${name}=${text}: give a positive whole number`);
  return number;
}

/** Throws MeshError `invalid` for a parameter that is none, or that is there twice: what is misspelt must not be left out. */
export function failOnUnknown(query: URLSearchParams, known: readonly string[]): void {
  for (const name of query.keys()) {
    if (!known.includes(name)) {
      const words = known.length === 0 ? 'there are none' : `there are ${known.join(', ')}`;
      throw new MeshError('invalid', `no parameter is called '${name}': ${words}.${didYouMean(name, known)}`);
    }
    if (query.getAll(name).length > 1)
      throw new MeshError('invalid', `${name} is there more than once: give it once`);
  }
}
