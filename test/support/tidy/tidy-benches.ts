import { blank, lineAt, type SourceFile } from './tidy-source.ts';
import { unjudgedBenches } from './tidy-table.ts';

/**
 * Every bench, a file flat in `bench/`, ends by `conclude`, but for those of the table in tidy-table.ts; and
 * nothing else in `bench/` decides an exit code or prints verdicts, so that no missed bound exits with 0.
 */
export function checkBenches(
  files: readonly SourceFile[],
  exempt: Readonly<Record<string, string>> = unjudgedBenches,
): string[] {
  const benches = files.filter(({ path }) => /^bench\/.*\.ts$/.test(path) && path !== concludePath);
  return benches.flatMap(({ path, text }) => {
    const code = blank(text, 'comments');
    const isBench = !path.slice('bench/'.length).includes('/');
    const ends = /\bconclude\(/.test(code);
    const isExempt = Object.hasOwn(exempt, path);
    if (isExempt) return ends ? [`${path}: is exempt in tidy-table.ts and need not be`] : [];
    const own = [...code.matchAll(ownEnds)].map(
      ({ index }) => `${path}:${lineAt(text, index)}: leave the exit code and the verdicts to conclude`,
    );
    return [...own, ...(isBench && !ends ? [`${path}: does not end by conclude of ${concludePath}`] : [])];
  });
}

const concludePath = 'bench/support/conclude.ts';

/** What decides an exit code, or prints verdicts that decide none. `process.exit()` ends with what is set. */
const ownEnds = /\bprocess\.exitCode\s*=|\bprocess\.exit\(\s*[^)\s]|\bconsole\.log\([^;]*\bverdicts\(/g;
