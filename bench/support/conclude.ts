import { type Verdict, verdicts } from './table.ts';

/**
 * Ends a bench: prints its verdicts, and makes the process exit with 1 if a bound was missed. With `mustMiss`
 * (what is measured lacks a protection) it exits with 1 if none was. Every bench that judges ends by this; it
 * never takes back an exit code that was set before. Returns whether a bound was missed.
 */
export function conclude(list: readonly Verdict[], options: { readonly mustMiss?: boolean } = {}): boolean {
  const missed = list.filter(({ met }) => !met);
  console.log(`\n${verdicts(list)}`);
  if (missed.length > 0) console.log(`\n${missed.length} of ${list.length} bounds missed`);
  if (missed.length > 0 !== (options.mustMiss ?? false)) process.exitCode = 1;
  return missed.length > 0;
}
