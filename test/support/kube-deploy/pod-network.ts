import { type ChildProcess, execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';

/** The network of a Pod: a namespace of its own, and a way to the one of the test. */
export interface PodNetwork {
  readonly address: string;
  readonly outside: { readonly v4: string; readonly v6: string };
  /** Starts a program in it. */
  start(command: string, args: readonly string[], env?: Readonly<Record<string, string>>): ChildProcess;
  /** What a program prints there; rejects with what it says if it fails. */
  run(command: string, args: readonly string[]): Promise<string>;
  close(): void;
}

/** Why there can be no network of a Pod here, for `skip` of a test. */
export function withoutPodNetwork(): string | false {
  if (process.getuid?.() !== 0) return 'a network of a Pod needs root';
  for (const [tool, pack] of [
    ['nft', 'nftables'],
    ['ip', 'iproute2'],
    ['nsenter', 'util-linux'],
  ] as const)
    if (spawnSync(tool, ['--version']).error !== undefined && spawnSync(tool, ['-V']).error !== undefined)
      return `there is no ${tool}: install ${pack}`;
  return spawnSync('unshare', ['--net', 'true']).status === 0 ? false : 'namespaces may not be made here';
}

const ip = (...args: string[]) => execFileSync('ip', args);

/** Makes the network. Names of links carry the process, so that tests beside each other do not meet. */
export async function createPodNetwork(): Promise<PodNetwork> {
  const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo in; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  // It says so once it is in a namespace of its own.
  for await (const _ of createInterface({ input: holder.stdout })) break;
  const pid = String(holder.pid);
  const inside = (...args: string[]) => ['-t', pid, '-n', ...args];
  const third = 100 + (process.pid % 100);
  const [outer, inner] = [`po${process.pid}`, `pi${process.pid}`];
  const at = { v4: `10.77.${third}`, v6: `fd77:${third}::` };
  const within = (...args: string[]) => execFileSync('nsenter', inside('ip', ...args));
  ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', inner, 'netns', pid);
  ip('addr', 'add', `${at.v4}.1/24`, 'dev', outer);
  ip('addr', 'add', `${at.v6}1/64`, 'dev', outer, 'nodad');
  ip('link', 'set', outer, 'up');
  within('addr', 'add', `${at.v4}.2/24`, 'dev', inner);
  within('addr', 'add', `${at.v6}2/64`, 'dev', inner, 'nodad');
  for (const link of ['lo', inner]) within('link', 'set', link, 'up');
  within('route', 'add', 'default', 'via', `${at.v4}.1`);
  within('-6', 'route', 'add', 'default', 'via', `${at.v6}1`);
  return {
    address: `${at.v4}.2`,
    outside: { v4: `${at.v4}.1`, v6: `${at.v6}1` },
    start: (command, args, env = {}) =>
      spawn('nsenter', inside(command, ...args), {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...process.env, ...env },
      }),
    run: (command, args) =>
      new Promise((resolve, reject) => {
        execFile('nsenter', inside(command, ...args), (error, out, err) =>
          error === null ? resolve(out) : reject(new Error(err || error.message)),
        );
      }),
    close() {
      // The link goes with the namespace, which goes with its last process.
      holder.kill('SIGKILL');
    },
  };
}
