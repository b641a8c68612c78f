import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * The top of the source tree that this program runs from, as sources or as built there; undefined: it runs
 * from an installed package.
 */
export const sourceTree: string | undefined = ['../../../', '../../../../']
  .map((up) => fileURLToPath(new URL(up, import.meta.url)))
  .find((top) => existsSync(`${top}Makefile`));
