import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { findEnvoy } from '../../src/drill/world/envoy.ts';

/** Where and with what a bench ran: without it its figures say nothing. */
export interface Machine {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly os: string;
  readonly node: string;
  readonly go: string;
  /** What is measured against what, by name. */
  readonly versions: Readonly<Record<string, string>>;
  /** Commit that was measured; `+` when there were changes beyond it. */
  readonly commit: string;
}

/** What this machine is. */
export function thisMachine(): Machine {
  const changed = output('git', ['status', '--porcelain', '--', 'src']) === '' ? '' : '+';
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    os: `${type()} ${release()}`,
    node: process.version,
    go: output('go', ['env', 'GOVERSION']) || 'none',
    versions: {
      'grpc-js': versionIn(new URL('../../node_modules/@grpc/grpc-js/package.json', import.meta.url)),
      'go-control-plane': versionIn(new URL('../peers/go-control-plane/go.mod', import.meta.url)),
      Envoy: envoyVersion(),
    },
    commit: (output('git', ['rev-parse', '--short', 'HEAD']) || 'unknown') + changed,
  };
}

/**
 * The first version that a package file states of its subject: its own, or that of go-control-plane itself.
 */
function versionIn(file: URL): string {
  const text = readFileSync(file, 'utf8');
  return /"version": "([^"]+)"|go-control-plane v([0-9.]+)/.exec(text)?.slice(1).find(Boolean) ?? 'unknown';
}

function envoyVersion(): string {
  try {
    return findEnvoy().version;
  } catch {
    return 'none';
  }
}

/** Standard output of a program; '' when it is not there or fails. */
export function output(command: string, args: readonly string[]): string {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '';
  }
}

/** Most file descriptors that a process started here may open. */
export function filesMax(): number {
  const limit = output('sh', ['-c', 'ulimit -Hn']);
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit);
}
