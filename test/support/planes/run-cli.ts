import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
// tap’s loaders are for the test alone.
const { NODE_OPTIONS: _, ...env } = process.env;

/** Starts `isthmus` with these arguments. `err`: what it has written to standard error until now. */
export function startCli(...args: readonly string[]) {
  const child = spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => (out += chunk));
  child.stderr.on('data', (chunk) => (err += chunk));
  const end = once(child, 'close').then(([code]) => ({ code, out, err }));
  return { child, end, err: () => err };
}

/** Runs `isthmus` with these arguments to its end: its exit code, and what it printed. */
export function runCli(...args: readonly string[]) {
  return startCli(...args).end;
}
