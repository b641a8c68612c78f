import { printableLines } from '../../base/text/safe-excerpt.ts';

/** Tells the user on standard error, beside results. What is foreign in it cannot control a terminal. */
export function tellUser(words: string): void {
  process.stderr.write(`${printableLines(words)}\n`);
}
