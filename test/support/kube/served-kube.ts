import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';
import { freeAddress, get, until } from '../mesh.ts';
import { type Replacement, takeAway, without } from '../planes/served.ts';
import { endsWithMe } from './ends-with-me.ts';

const main = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));

/** A process of `isthmus serve` whose registry is an API server. */
export interface ServedKube {
  /** Whether it answers proxies. */
  isReady(): Promise<boolean>;
  /** A page of its admin port. */
  page(path: string): Promise<string>;
  log(): string;
  /** Sends it a signal. */
  signal(signal: NodeJS.Signals): void;
  /** Ends it; resolves once it has ended. */
  end(signal: NodeJS.Signals): Promise<void>;
}

/** Where control planes of one place after another are reached, and what they leave behind. */
export interface ServedPlace {
  readonly xds: ListenAddress;
  readonly admin: ListenAddress;
  /** A folder for state that none has written to yet. */
  emptyState(): string;
  /** Starts one, with these faults in its sources. It ends with the test. */
  start(kubeconfig: string, state: string, ...faults: readonly Replacement[]): ServedKube;
}

/** A place of an IDC; `flags`: more of each that is started there. */
export async function servedPlace(t: Test, flags: readonly string[] = []): Promise<ServedPlace> {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-served-kube-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const [xds, admin] = [await freeAddress(), await freeAddress()];
  return {
    ...{ xds, admin },
    emptyState: () => mkdtempSync(join(folder, 'state-')),
    start(kubeconfig, state, ...faults) {
      const at = ({ address, port }: ListenAddress) => `${address}:${port}`;
      const args = ['serve', '--idc', 'sh-a', '--kubeconfig', kubeconfig, '--state', state];
      const addresses = ['--xds', at(xds), '--admin', at(admin), '--filters', join(folder, 'filters')];
      const { NODE_OPTIONS: _, ...env } = process.env;
      const node = faults.length > 0 ? ['--import', without] : [];
      const child = spawn(process.execPath, [...node, main, ...args, ...addresses, ...flags], {
        ...{ env: { ...env, ...(faults.length > 0 && takeAway(...faults)) } },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let log = '';
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
        log += chunk;
      });
      const ended = once(child, 'close');
      const end = async (signal: NodeJS.Signals) => {
        child.kill(signal);
        await ended;
      };
      endsWithMe(child);
      t.teardown(() => end('SIGKILL'));
      return {
        isReady: async () => (await get(admin, '/readyz')).status === 200,
        page: async (path) => (await get(admin, path)).body,
        log: () => log,
        signal: (signal) => void child.kill(signal),
        end,
      };
    },
  };
}

/** Resolves once it answers proxies. */
export async function untilReady(served: ServedKube): Promise<void> {
  await until('the control plane is ready', () => served.isReady()).catch((reason: Error) => {
    throw new Error(`${reason.message}; its log: ${served.log().slice(-2_000)}`);
  });
}
