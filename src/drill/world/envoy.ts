import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, globSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MeshError } from '../../base/error.ts';
import type { ListenAddress } from '../../model/values/listen-address.ts';
import { machineClock } from '../time.ts';

/** The oldest Envoy that the filters and settings were measured on. */
const oldestEnvoy = [1, 40] as const;

/** An Envoy on this machine. */
export interface EnvoyBinary {
  readonly path: string;
  /** Such as `1.40.0`. */
  readonly version: string;
}

/**
 * Finds Envoy: `ENVOY_BIN`, else `envoy` on PATH, else the one that `make setup` put into the project's venv.
 * Throws MeshError 'not-found' or 'unsupported', in words that say what to do.
 */
export function findEnvoy(env: NodeJS.ProcessEnv = process.env): EnvoyBinary {
  const path = env.ENVOY_BIN ?? onPath(env.PATH ?? '') ?? inVenv();
  if (path === undefined) {
    const hint = 'Run `make setup`, or set ENVOY_BIN to an Envoy of your own.';
    throw new MeshError('not-found', `There is no Envoy: none by ENVOY_BIN, on PATH or in .venv. ${hint}`);
  }
  if (!isExecutable(path)) {
    const hint = 'Point it at an Envoy binary, or unset it.';
    throw new MeshError('not-found', `ENVOY_BIN=${path} is not an executable file. ${hint}`);
  }
  const version = parseEnvoyVersion(versionText(path));
  if (version === undefined) {
    throw new MeshError('unsupported', `${path} does not say an Envoy version. Set ENVOY_BIN to an Envoy.`);
  }
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < oldestEnvoy[0] || (major === oldestEnvoy[0] && minor < oldestEnvoy[1])) {
    const need = `Isthmus needs ${oldestEnvoy.join('.')} or newer`;
    throw new MeshError('unsupported', `${path} is Envoy ${version}; ${need}. Set ENVOY_BIN to a newer one.`);
  }
  return { path, version };
}

/** The version in the output of `envoy --version`; undefined when there is none. */
export function parseEnvoyVersion(text: string): string | undefined {
  return /\bversion: [0-9a-f]+\/(\d+\.\d+\.\d+)/.exec(text)?.[1];
}

function versionText(path: string): string {
  try {
    return execFileSync(path, ['--version'], { encoding: 'utf8', timeout: 20_000 });
  } catch (cause) {
    throw new MeshError('unsupported', `${path} does not run: ${String(cause)}`, { cause });
  }
}

function onPath(path: string): string | undefined {
  return path
    .split(delimiter)
    .map((dir) => join(dir, 'envoy'))
    .find((file) => isExecutable(file));
}

function inVenv(): string | undefined {
  // From src/drill/world as well as from dist/src/drill/world.
  const roots = ['../../..', '../../../..'].map((up) => fileURLToPath(new URL(up, import.meta.url)));
  return roots
    .flatMap((root) => globSync(join(root, '.venv/lib/python3*/site-packages/envoy/_bin/envoy')))
    .find((file) => isExecutable(file));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return existsSync(path);
  } catch {
    return false;
  }
}

/** Arguments for an Envoy of the drill. */
export function envoyArgs(configFile: string, logFile: string): string[] {
  return [
    ['-c', configFile],
    ['--concurrency', '1'],
    ['--disable-hot-restart'],
    ['-l', 'warning'],
    ['--log-path', logFile],
    // The default of 10 s would keep access logs back until long after the load has ended.
    ['--file-flush-interval-msec', '100'],
  ].flat();
}

/** Asks an Envoy's admin interface. Rejects when it does not answer with 200 within `timeoutMs`. */
export async function askAdmin(admin: ListenAddress, path: string, timeoutMs = 2000): Promise<string> {
  const url = `http://${admin.address}:${admin.port}${path}`;
  const tooLong = new AbortController();
  const timer = machineClock.after(timeoutMs, () => tooLong.abort(new Error(`no answer in ${timeoutMs} ms`)));
  try {
    const response = await fetch(url, { signal: tooLong.signal });
    const text = await response.text();
    if (response.status === 200) return text;
    throw new MeshError('unavailable', `${url}: status ${response.status}: ${text}`);
  } finally {
    timer.cancel();
  }
}

/** All counters and gauges of an Envoy whose names match `filter` (a regular expression), by name. */
export async function readStats(admin: ListenAddress, filter: string): Promise<Map<string, number>> {
  const text = await askAdmin(admin, `/stats?filter=${encodeURIComponent(filter)}`);
  const stats = new Map<string, number>();
  for (const line of text.split('\n')) {
    const match = /^(.+): (\d+)$/.exec(line);
    if (match) stats.set(match[1] as string, Number(match[2]));
  }
  return stats;
}
