import { posix } from 'node:path';
import type { SourceFile } from './tidy-source.ts';
import { flatExemptions, flatMax, readmeLinesMax } from './tidy-table.ts';

/**
 * At most `flatMax` files lie flat in a folder of `src/`, its README.md not counted; with more, it is several
 * folders.
 */
export function checkFlat(files: readonly SourceFile[]): string[] {
  const counts = new Map<string, number>();
  for (const { path } of files) {
    if (!path.startsWith('src/') || posix.basename(path) === readme) continue;
    const folder = posix.dirname(path);
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  const isExempt = (folder: string) => Object.hasOwn(flatExemptions, folder);
  const stale = Object.keys(flatExemptions).filter((folder) => {
    const count = counts.get(folder);
    return count !== undefined && count <= flatMax;
  });
  return [
    ...[...counts]
      .filter(([folder, count]) => count > flatMax && !isExempt(folder))
      .map(
        ([folder, count]) =>
          `${folder}: ${count} files lie flat, of at most ${flatMax}: make folders of them`,
      ),
    ...stale.map((folder) => `${folder}: is exempt in tidy-table.ts and need not be`),
  ];
}

/**
 * Each folder directly below `src/` has a README.md: what goes in, what comes out, and where to begin
 * reading.
 */
export function checkReadmes(files: readonly SourceFile[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const rooms = new Set(
    files.flatMap(({ path }) => (/^src\/[^/]+\/.*\.ts$/.test(path) ? [path.split('/', 2).join('/')] : [])),
  );
  return [...rooms].flatMap((room) => {
    const path = `${room}/${readme}`;
    const text = byPath.get(path)?.text;
    if (text === undefined) {
      return [
        `${path}: is missing: say in a few lines what goes in, what comes out, and where to begin reading`,
      ];
    }
    const lines = text.replace(/\n$/, '').split('\n').length;
    const absent = ['In:', 'Out:', 'Begin with'].filter((begin) => !text.includes(`\n${begin} `));
    const named = [...text.matchAll(/`([\w./-]+\.ts)`/g)].map(([, name = '']) => name);
    return [
      ...(lines > readmeLinesMax
        ? [`${path}: ${lines} lines, of at most ${readmeLinesMax}: shorten it`]
        : []),
      ...absent.map((begin) => `${path}: no line begins with '${begin} '`),
      ...named
        .filter((name) => !byPath.has(posix.join(room, name)))
        .map((name) => `${path}: ${name}: there is no such file in ${room}`),
    ];
  });
}

const readme = 'README.md';
