import { InvalidArgumentError } from 'commander';
import { MeshError } from '../../base/error.ts';

/** Converts a MeshError `invalid` of `read` to commander's error, which names the flag. */
export function readArgument<T>(read: () => T): T {
  try {
    return read();
  } catch (reason) {
    if (reason instanceof MeshError && reason.code === 'invalid')
      throw new InvalidArgumentError(reason.message);
    throw reason;
  }
}

/** Parses a whole number of at least 1. Throws commander's error. */
export function parseCount(text: string): number {
  const count = Number(text);
  if (!/^[0-9]+$/.test(text) || count < 1 || !Number.isSafeInteger(count))
    throw new InvalidArgumentError(`'${text}' is not a whole number of at least 1.`);
  return count;
}

/** Parses a port to listen on or connect to. Throws commander's error. */
export function parsePortNumber(text: string): number {
  const port = parseCount(text);
  if (port > 65_535) throw new InvalidArgumentError(`'${text}' is not a port: 1 to 65535.`);
  return port;
}
