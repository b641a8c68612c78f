import { readFile, stat } from 'node:fs/promises';
import type { Clock } from '../../base/clock.ts';
import { describeSystemError } from '../../base/system-error.ts';
import type { FieldError } from './kube-access.ts';

/** Largest file of a token, a certificate or a key. */
const bytesMax = 1024 * 1024;

/** How long the content of a token's file is believed without a look at the file, in milliseconds. */
const believedMs = 5_000;

/** The content of a file that a field names. Rejects with the field's error. */
export async function readNamedFile(path: string, field: string, fault: FieldError): Promise<Buffer> {
  try {
    const { size } = await stat(path);
    if (size > bytesMax) throw new Error(`it has ${size} bytes, a certificate or token has far fewer`);
    return await readFile(path);
  } catch (cause) {
    throw fault(field, `${path} cannot be read: ${describeSystemError(cause)}. Correct the path.`, cause);
  }
}

/** A token in a file that others replace. */
interface TokenFile {
  /** Rejects with the field's error if it cannot be read, or is not a token. */
  read(): Promise<string>;
  /** The next read looks at the file. */
  forget(): void;
}

/** A token that is read again as its file changes: kubelet replaces those of Pods before they end. */
export function createTokenFile(path: string, field: string, fault: FieldError, clock: Clock): TokenFile {
  let kept: { readonly token: string; readonly until: number } | undefined;
  return {
    async read() {
      if (kept !== undefined && clock.now() < kept.until) return kept.token;
      const token = checkedToken(
        (await readNamedFile(path, field, fault)).toString('utf8'),
        field,
        fault,
        path,
      );
      kept = { token, until: clock.now() + believedMs };
      return token;
    },
    forget() {
      kept = undefined;
    },
  };
}

/** A token without the white space around it. Throws the field's error if a header cannot carry it. */
export function checkedToken(text: string, field: string, fault: FieldError, path?: string): string {
  const token = text.trim();
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  const what = path === undefined ? 'it' : path;
  throw fault(field, `${what} ${token === '' ? 'is empty' : 'holds more than a token'}: give one token.`);
}
