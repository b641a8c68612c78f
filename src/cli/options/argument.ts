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
