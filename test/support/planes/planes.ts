import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { replaceFileSync } from '../../../src/base/files/replace-file.ts';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';
import { freeAddress, get, until } from '../mesh.ts';
import { idcYaml } from '../objects-yaml.ts';
import { type ApiAnswer, callApi, token } from './registering.ts';

const main = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));

// Compiled once for all planes of a test.
const filters = mkdtempSync(join(tmpdir(), 'isthmus-planes-filters-'));
process.once('exit', () => rmSync(filters, { recursive: true, force: true }));

/** One `isthmus serve`, which may be killed and started again. */
export interface ServedPlane {
  readonly xds: ListenAddress;
  readonly admin: ListenAddress;
  /** Its SQLite file. */
  readonly registrations: string;
  /** Starts it (again), with more flags. */
  start(more?: readonly string[]): void;
  /** Resolves when it is ready. */
  ready(): Promise<void>;
  kill(signal: NodeJS.Signals): Promise<void>;
  api(method: string, path: string, body?: unknown): Promise<ApiAnswer>;
  page(path: string): Promise<string>;
  log(): string;
}

/** How the planes differ from the usual. */
export interface PlanesOptions {
  readonly files: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
  /** False: they do not know each other. 'one': only the second knows the first. */
  readonly peers?: boolean | 'one';
  /** Where the one asks the other; by default at its admin address. */
  readonly peerAddress?: (admin: ListenAddress) => Promise<ListenAddress>;
}

/**
 * Control planes of the IDC sh-a, over one folder, with a file of registrations each. None is started yet.
 */
export async function createPlanes(count: number, options: PlanesOptions) {
  const dir = mkdtempSync(join(tmpdir(), 'isthmus-planes-'));
  const config = mkdtempSync(join(dir, 'config-'));
  for (const [file, text] of Object.entries({ 'idc.yaml': idcYaml, ...options.files }))
    writeFileSync(join(config, file), text);
  writeFileSync(join(dir, 'token'), token);
  const children = new Set<ChildProcess>();
  const { NODE_OPTIONS: _, ...env } = process.env;
  const at = ({ address, port }: ListenAddress) => `${address}:${port}`;
  const addresses = await Promise.all(
    Array.from({ length: count }, async () => ({ xds: await freeAddress(), admin: await freeAddress() })),
  );
  const { peerAddress = async (admin) => admin } = options;
  const seenAt = await Promise.all(addresses.map(({ admin }) => peerAddress(admin)));

  const planes = addresses.map(({ xds, admin }, index): ServedPlane => {
    let child: ChildProcess | undefined;
    let log = '';
    const registrations = join(dir, `${index}.db`);
    const isAlone = options.peers === false || (options.peers === 'one' && index === 0);
    const others = isAlone ? [] : seenAt.filter((_, other) => other !== index);
    const flags = [
      ...['--idc', 'sh-a', '--config', config, '--registrations', registrations],
      ...['--filters', filters, '--admin-token-file', join(dir, 'token'), '--deletion-grace', '0s'],
      ...['--xds', at(xds), '--admin', at(admin), ...others.flatMap((one) => ['--peer-admin', at(one)])],
      ...(options.flags ?? []),
    ];
    return {
      ...{ xds, admin, registrations },
      start(more = []) {
        child = spawn(process.execPath, [main, 'serve', ...flags, ...more], {
          env,
          stdio: ['ignore', 'ignore', 'pipe'],
        });
        children.add(child);
        child.stderr?.on('data', (chunk) => {
          log += chunk;
        });
      },
      // Compiling filters takes long on a machine that is busy.
      ready: () => until('it is ready', async () => (await get(admin, '/readyz')).status === 200, 240_000),
      async kill(signal) {
        const ended = child;
        if (signal === 'SIGSTOP' || signal === 'SIGCONT' || ended === undefined) {
          ended?.kill(signal);
          return;
        }
        const exit = new Promise((resolve) => ended.once('exit', resolve));
        ended.kill(signal);
        await exit;
        children.delete(ended);
      },
      api: (method, path, body) => callApi(admin.port, method, path, body),
      page: async (path) => (await get(admin, path)).body,
      log: () => log,
    };
  });
  return {
    planes: planes as [ServedPlane, ServedPlane, ...ServedPlane[]],
    /** Writes a file of the folder that all of them watch. */
    save: (file: string, text: string) => replaceFileSync(join(config, file), text),
    close() {
      for (const child of children) child.kill('SIGKILL');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
