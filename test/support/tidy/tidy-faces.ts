import { posix } from 'node:path';
import { importsOf, type SourceFile } from './tidy-source.ts';
import { faces } from './tidy-table.ts';

/**
 * What other folders of `src/` import of one that has faces is one of them, and each of them is imported:
 * what lies behind can be moved without a look at the others.
 */
export function checkFaces(
  files: readonly SourceFile[],
  table: Readonly<Record<string, readonly string[]>> = faces,
): string[] {
  const used = new Set<string>();
  const faults = files
    .filter(({ path }) => path.startsWith('src/') && path.endsWith('.ts'))
    .flatMap((file) => {
      const [, from] = file.path.split('/');
      return importsOf(file).flatMap(({ specifier, line }) => {
        const target = specifier.startsWith('.') ? posix.join(posix.dirname(file.path), specifier) : '';
        const [top, to = '', ...rest] = target.split('/');
        const shown = table[to];
        if (top !== 'src' || to === from || shown === undefined) return [];
        const path = rest.join('/');
        used.add(`${to}/${path}`);
        return shown.includes(path)
          ? []
          : [`${file.path}:${line}: ${to}/${path}: is not among the faces of ${to} in tidy-table.ts`];
      });
    });
  const rows = Object.entries(table).flatMap(([room, shown]) => shown.map((path) => `${room}/${path}`));
  const stale = rows.filter((row) => !used.has(row));
  return [...faults, ...stale.map((row) => `${row}: is a face in tidy-table.ts that nobody imports`)];
}
