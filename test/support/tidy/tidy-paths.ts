import { lineAt, type SourceFile } from './tidy-source.ts';

/**
 * Whatever a comment, a string or a page names as `src/….ts`, `test/….ts` or `bench/….ts` is there. Decisions and the changelog tell
 * of what was, and this check's own test of what never is.
 */
export function checkPaths(files: readonly SourceFile[]): string[] {
  const there = new Set(files.map(({ path }) => path));
  return files
    .filter(({ path }) => !/^(?:docs\/decisions\/|CHANGELOG\.md$|test\/tidy\.test\.ts$)/.test(path))
    .flatMap(({ path, text }) =>
      [...text.matchAll(/(?<![\w./-])(?:src|test|bench)\/[a-z0-9./-]+\.ts\b/g)]
        .filter(({ 0: named }) => !there.has(named))
        .map(({ 0: named, index }) => `${path}:${lineAt(text, index)}: ${named}: there is no such file`),
    );
}
