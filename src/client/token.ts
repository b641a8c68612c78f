import { readBounded } from '../base/bounded-file.ts';
import { MeshError } from '../base/error.ts';
import { wordsOfFailure } from '../base/system-error.ts';

/** Far more than a header may have. */
const tokenBytesMax = 64 * 1024;

/**
 * The token that stands in a file. Throws MeshError `unavailable` where it cannot be read, `invalid` where
 * what it holds cannot stand in a header (RFC 9110, 5.5); `option` names what named the file.
 */
export function readToken(file: string, option: string): string {
  let token: string;
  try {
    token = readBounded(file, tokenBytesMax).toString('utf8').trim();
  } catch (cause) {
    throw new MeshError('unavailable', `${option}: ${file} cannot be read: ${wordsOfFailure(cause)}`, {
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
