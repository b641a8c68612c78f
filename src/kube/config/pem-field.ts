import { resolve } from 'node:path';
import type { RawMap } from '../../base/raw-map.ts';
import { readNamedFile } from './credential-files.ts';
import type { FieldError } from './kube-access.ts';

/** The content of `KEY-data`, in base64, else of the file that `KEY` names; undefined: neither is there. */
export async function dataOrFile(
  map: RawMap,
  key: string,
  at: string,
  folder: string,
  fault: FieldError,
): Promise<Buffer | undefined> {
  const data = textOf(map, `${key}-data`);
  if (data !== '') {
    const decoded = Buffer.from(data, 'base64');
    if (!decoded.includes('-----BEGIN'))
      throw fault(`${at}.${key}-data`, 'is not PEM in base64: copy it whole.');
    return decoded;
  }
  const path = textOf(map, key);
  return path === '' ? undefined : readNamedFile(resolve(folder, path), `${at}.${key}`, fault);
}

function textOf(map: RawMap, key: string): string {
  const value = map[key];
  return typeof value === 'string' ? value : '';
}
