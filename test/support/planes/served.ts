import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../../src/base/clock.ts';
import { replaceFileSync } from '../../../src/base/files/replace-file.ts';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';
import { freeAddress, get, until } from '../mesh.ts';
import { idcYaml } from '../objects-yaml.ts';
import { type ApiAnswer, callApi, token } from './registering.ts';

/** How the process differs from `isthmus serve --idc sh-a` over a folder with one Idc. */
export interface ServedOptions {
  readonly files?: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
  /** Arguments of node's own, before the program. */
  readonly node?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** In the clock's time. */
  readonly at: number;
}

/** One process of `isthmus serve`, with registrations on. */
export interface Served {
  readonly pid: number;
  readonly xds: ListenAddress;
  readonly admin: ListenAddress;
  ready(): Promise<void>;
  save(file: string, text: string): void;
  api(method: string, path: string, body?: unknown): Promise<ApiAnswer>;
  page(path: string): Promise<string>;
  log(): string;
  kill(signal: NodeJS.Signals): void;
  readonly exit: Promise<Exit>;
  /** Ends it at once, and removes its folder. */
  close(): Promise<void>;
}

const main = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
/** A module that takes protections away: `node: ['--import', without]`, `env: takeAway(…)`. */
export const without = fileURLToPath(new URL('./without.ts', import.meta.url));

/** A change to a source file as it is loaded: the negative control of a process. */
export interface Replacement {
  /** The end of the file's path. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** What `without` reads. */
export function takeAway(...replacements: readonly Replacement[]): Record<string, string> {
  return { ISTHMUS_TEST_WITHOUT: JSON.stringify(replacements) };
}

// Compiled once for all processes of a test.
const filters = mkdtempSync(join(tmpdir(), 'isthmus-served-filters-'));
process.once('exit', () => rmSync(filters, { recursive: true, force: true }));

/** Starts it; `ready` says when it answers proxies. */
export async function startServe(options: ServedOptions = {}): Promise<Served> {
  const dir = mkdtempSync(join(tmpdir(), 'isthmus-served-'));
  const config = mkdtempSync(join(dir, 'config-'));
  const save = (file: string, text: string) => replaceFileSync(join(config, file), text);
  for (const [file, text] of Object.entries({ 'idc.yaml': idcYaml, ...options.files })) save(file, text);
  writeFileSync(join(dir, 'token'), token);
  const [xds, admin] = await Promise.all([freeAddress(), freeAddress()]);
  const at = ({ address, port }: ListenAddress) => `${address}:${port}`;
  const flags = [
    ...['--idc', 'sh-a', '--config', config, '--registrations', join(dir, 'registrations.db')],
    ...['--filters', filters, '--admin-token-file', join(dir, 'token')],
    ...(options.flags?.includes('--deletion-grace') ? [] : ['--deletion-grace', '0s']),
    ...['--xds', at(xds), '--admin', at(admin), ...(options.flags ?? [])],
  ];
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child: ChildProcess = spawn(process.execPath, [...(options.node ?? []), main, 'serve', ...flags], {
    env: { ...env, ...options.env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  process.once('exit', () => child.kill('SIGKILL'));
  let log = '';
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    log += chunk;
  });
  const exit = new Promise<Exit>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal, at: systemClock.now() }));
  });
  let exited = false;
  void exit.then(() => {
    exited = true;
  });
  return {
    ...{ pid: child.pid as number, xds, admin, save, exit },
    ready: () =>
      until(
        'it is ready',
        async () => {
          if (exited) throw new Error(`it ended: ${log}`);
          return (await get(admin, '/readyz')).status === 200;
        },
        240_000,
      ),
    api: (method, path, body) => callApi(admin.port, method, path, body),
    page: async (path) => (await get(admin, path)).body,
    log: () => log,
    kill: (signal) => void child.kill(signal),
    async close() {
      child.kill('SIGKILL');
      await exit;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** What Linux says of a process: the memory that it has in RAM, and how many files it has open. */
export function usageOf(pid: number): { readonly rssBytes: number; readonly files: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const rssKb = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]);
  return { rssBytes: rssKb * 1024, files: readdirSync(`/proc/${pid}/fd`).length };
}

/** The log's lines; throws where one is no JSON. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into it as they please
export function linesOf(log: string): any[] {
  return log
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** Asks the process to collect its whole heap: it must have been started with `collectable`. */
export const collectable = [
  '--expose-gc',
  '--import',
  fileURLToPath(new URL('./collectable.ts', import.meta.url)),
];
