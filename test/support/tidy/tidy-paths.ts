import { lineAt, type SourceFile } from './tidy-source.ts';

/**
 * Whatever a comment, a string or a page names below `src/`, `test/` or `bench/` is there: a `.ts` file, a
 * folder, or what files begin with. Decisions and the changelog tell of what was, .gitignore of what may be,
 * and the tests of these checks of what never is.
 */
export function checkPaths(files: readonly SourceFile[]): string[] {
  const paths = files.map(({ path }) => path);
  const isThere = (named: string) =>
    paths.some((path) => (named.endsWith('.ts') ? path === named : path.startsWith(named)));
  return files
    .filter(
      ({ path }) =>
        !/^(?:docs\/decisions\/|CHANGELOG\.md$|\.gitignore$|test\/tidy[a-z-]*\.test\.ts$)/.test(path),
    )
    .flatMap(({ path, text }) =>
      [...text.matchAll(/(?<![\w./-])(?:src|test|bench)\/[a-z0-9/-]*[a-z0-9](?![A-Z])(?:\.ts\b)?/g)]
        .filter(({ 0: named }) => !isThere(named))
        .map(
          ({ 0: named, index }) =>
            `${path}:${lineAt(text, index)}: ${named}: there is no such file or folder`,
        ),
    );
}
