import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { token } from './registering.ts';

const main = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
const app = fileURLToPath(new URL('../apps/run-app.mjs', import.meta.url));

/** An `isthmus run` with what it wrote. */
export interface RunProcess {
  readonly child: ChildProcess;
  out(): string;
  err(): string;
  /** Resolves when it has written that to its standard error. */
  said(words: RegExp): Promise<void>;
  /** Its exit code. */
  readonly ended: Promise<number | null>;
}

/** Starts any `isthmus` command against the admin ports of one control plane, or several. */
export function startIsthmus(adminPorts: number | readonly number[], args: readonly string[]): RunProcess {
  // The test runner's own loaders are not the users'.
  const { NODE_OPTIONS: _, ...env } = process.env;
  const admins = [adminPorts]
    .flat()
    .map((port) => `127.0.0.1:${port}`)
    .join();
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...env, ISTHMUS_TOKEN: token, ISTHMUS_ADMIN: admins },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  const checks = new Set<() => void>();
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
    for (const check of checks) check();
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return {
    child,
    out: () => out,
    err: () => err,
    ended,
    said: (words) =>
      new Promise((resolve, reject) => {
        const check = () => {
          if (!words.test(err)) return;
          checks.delete(check);
          resolve();
        };
        checks.add(check);
        check();
        void ended.then((code) => reject(new Error(`ended with ${code} before it said ${words}: ${err}`)));
      }),
  };
}

/** Starts the test's application as an instance of the Group `echo`, on a port. */
export function runEcho(
  adminPorts: number | readonly number[],
  port: number,
  text: string,
  options: { readonly flags?: readonly string[]; readonly status?: number } = {},
): RunProcess {
  const group = ['--group', 'echo', '--namespace', 'shop', '--port', String(port), '--locality', 'sh-a'];
  const command = ['--', process.execPath, app, String(port), text, String(options.status ?? 0)];
  return startIsthmus(adminPorts, ['run', ...group, ...(options.flags ?? []), ...command]);
}
