import { InvalidArgumentError } from 'commander';
import { MeshError } from '../../base/error.ts';

/**
 * Reads what stands after a flag. What `read` finds invalid becomes commander's error, which names the flag.
 */
export function readArgument<T>(read: () => T): T {
  try {
    return read();
  } catch (reason) {
    if (reason instanceof MeshError && reason.code === 'invalid')
      throw new InvalidArgumentError(reason.message);
    throw reason;
  }
}
