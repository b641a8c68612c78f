import type { Clock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { Logger } from '../base/log.ts';
import { didYouMean } from '../base/text/suggest.ts';
import { createFilesSource } from './files/files-source.ts';
import { createRegistrationsSource } from './registrations/registrations-source.ts';
import type { Source } from './source.ts';

/** Options of every source. */
interface SourceOptions {
  readonly clock: Clock;
  readonly logger?: Logger;
  /** How long a source delays the deletion of a sole object, in milliseconds; absent: its default. */
  readonly soleMs?: number;
}

/** Scheme → constructor of a source from the rest of the address: a new source is a new row. */
const schemes = {
  files: (folder: string, options: SourceOptions) => createFilesSource({ ...options, folder }),
  registrations: (file: string, options: SourceOptions) => createRegistrationsSource({ ...options, file }),
} satisfies Record<string, (rest: string, options: SourceOptions) => Source>;

/**
 * Creates the source of an address: `files:/etc/isthmus`, or a bare path. Does not read yet. Throws a
 * MeshError for an unknown scheme.
 */
export function openSource(address: string, options: SourceOptions): Source {
  const [, scheme = 'files', rest = ''] = /^(?:([a-z][a-z0-9+-]+):)?(.*)$/s.exec(address) ?? [];
  if (rest === '') {
    throw new MeshError('invalid', `'${address}' is not a source: give a folder, or files:/path/to/folder`);
  }
  if (!Object.hasOwn(schemes, scheme)) {
    const known = Object.keys(schemes);
    const message = `'${scheme}' is not a kind of source, known: ${known.join(', ')}.${didYouMean(scheme, known)}`;
    throw new MeshError('invalid', message);
  }
  return schemes[scheme as keyof typeof schemes](rest, options);
}
