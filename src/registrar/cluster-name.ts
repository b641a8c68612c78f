import { MeshError } from '../base/error.ts';

/** A label value that may be a part of names, too. */
const clusterPattern = /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/;

/** Validates the name of a Remote. Throws MeshError `invalid`. */
export function readClusterName(text: string): string {
  if (clusterPattern.test(text)) return text;
  throw new MeshError(
    'invalid',
    `'${text}' is not a name for a cluster: use 1 to 63 of a-z, 0-9, '-' and '.', a letter or digit first and last.`,
  );
}
