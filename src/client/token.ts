import { MeshError } from '../base/error.ts';
import { readBounded } from '../base/files/bounded-file.ts';
import { describeSystemError } from '../base/system-error.ts';

/** Far above the size of a header. */
const tokenBytesMax = 64 * 1024;

/**
 * The token in a file. Throws MeshError `unavailable` if it cannot be read, `invalid` if its content is not
 * valid in a header (RFC 9110, 5.5); `option`: the option that named the file.
 */
export function readToken(file: string, option: string): string {
  let token: string;
  try {
    token = readBounded(file, tokenBytesMax).toString('utf8').trim();
  } catch (cause) {
    throw new MeshError('unavailable', `${option}: ${file} cannot be read: ${describeSystemError(cause)}`, {
      cause,
    });
  }
  if (!/^[\x20-\x7e]+$/.test(token))
    throw new MeshError(
      'invalid',
      `${option}: ${file} ${token === '' ? 'is empty' : 'holds more than a token'}: give one line of printable ASCII`,
    );
  return token;
}
