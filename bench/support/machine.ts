import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem, type } from 'node:os';

/** Where and with what a bench ran: without it its figures say nothing. */
export interface Machine {
  readonly date: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly os: string;
  readonly node: string;
  readonly go: string;
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
    commit: (output('git', ['rev-parse', '--short', 'HEAD']) || 'unknown') + changed,
  };
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
