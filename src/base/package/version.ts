import { readFileSync } from 'node:fs';

/** The version of Isthmus: that of the package.json above, in the source tree as in the built package. */
export const packageVersion: string = readVersion();

function readVersion(): string {
  for (const up of ['../../../package.json', '../../../../package.json']) {
    try {
      return JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8')).version;
    } catch {
      // Not there: the other place.
    }
  }
  return 'unknown';
}
