import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ProxyPlan } from './topology.ts';

/** Where a drill keeps its files, all under one temporary folder. */
export interface DrillPaths {
  readonly dir: string;
  /** Registry folder of an IDC. */
  registry(idc: string): string;
  /** State and registrations of the control plane of an IDC, where it has a disk of its own. */
  disk(idc: string): string;
  /** The offset of its wall clock, in milliseconds, where it can be stepped. */
  clock(idc: string): string;
  /** The token of the control planes' admin writes. */
  readonly token: string;
  /** Bootstrap of an Envoy. */
  bootstrap(proxy: ProxyPlan): string;
  /** Access log of an Envoy. */
  accessLog(proxy: ProxyPlan): string;
  /** Output of a process. `name` as in its ProcessSpec. */
  log(name: string): string;
  /**
   * The folder of an instance's socket, mode 0700: only this user, so only its sidecar, can reach the
   * instance.
   */
  socketDir(proxy: ProxyPlan): string;
  socket(proxy: ProxyPlan): string;
  /** How cold an instance is when it starts next, as JSON. */
  cold(proxy: ProxyPlan): string;
  /** An instance's own log of requests. */
  requests(proxy: ProxyPlan): string;
  /** A load client's records. */
  records(stream: string): string;
}

/** Lays out a drill's folder and makes its subfolders. */
export function createPaths(dir: string): DrillPaths {
  for (const name of ['registry', 'envoy', 'access', 'log', 'run', 'requests', 'records']) {
    mkdirSync(join(dir, name), { recursive: true });
  }
  chmodSync(dir, 0o700);
  const of = (proxy: ProxyPlan) => `${proxy.idc}.${proxy.name}`;
  return {
    dir,
    registry: (idc) => join(dir, 'registry', idc),
    disk: (idc) => join(dir, 'disk', idc),
    clock: (idc) => join(dir, `clock-${idc}`),
    token: join(dir, 'token'),
    bootstrap: (proxy) => join(dir, 'envoy', `${of(proxy)}.json`),
    accessLog: (proxy) => join(dir, 'access', `${of(proxy)}.jsonl`),
    log: (name) => join(dir, 'log', `${name.replaceAll('/', '.')}.log`),
    socketDir: (proxy) => join(dir, 'run', of(proxy)),
    socket: (proxy) => join(dir, 'run', of(proxy), 'app.sock'),
    cold: (proxy) => join(dir, 'run', of(proxy), 'cold.json'),
    requests: (proxy) => join(dir, 'requests', `${of(proxy)}.jsonl`),
    records: (stream) => join(dir, 'records', `${stream}.jsonl`),
  };
}
