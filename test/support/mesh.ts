import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { replaceFileSync } from '../../src/base/files/replace-file.ts';
import { silentLogger } from '../../src/base/log.ts';
import type { NodeScope } from '../../src/model/node.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { startControlPlane } from '../../src/plane/controlplane.ts';
import type { ControlPlane, ControlPlaneOptions, ControlPlaneSeams } from '../../src/plane/types.ts';
import { openSource } from '../../src/registry/open.ts';
import { type AppAddress, type BootstrapOptions, buildBootstrap } from '../../src/translate/bootstrap.ts';
import { findEnvoy } from './envoy.ts';
import { freePort } from './port.ts';

/** An HTTP answer. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A control plane in this process, real Envoys beside it, and whatever workloads a test starts. */
export interface Mesh {
  /** The one that runs now. */
  readonly plane: ControlPlane;
  /** Ends the control plane and starts another at the same address. */
  restart(options: MeshOptions): Promise<void>;
  /** Saves a registry file as editors do: written aside, then renamed. */
  save(file: string, text: string): void;
  /** Removes a registry file. */
  remove(file: string): void;
  /** Starts an Envoy; resolves when it is ready. */
  envoy(
    id: string,
    scope: NodeScope,
    more?: EnvoyOptions,
  ): Promise<{ readonly pid: number; readonly admin: ListenAddress }>;
  /** Starts a workload. */
  app(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<ListenAddress>;
  close(): Promise<void>;
}

export interface EnvoyOptions {
  /** Control planes to ask, most preferred first; this mesh's by default. */
  readonly xds?: readonly ListenAddress[];
  /** How long it may take to be ready; a minute by default. */
  readonly readyTimeoutMs?: number;
  /** Folder for access logs, `ID.log` each. */
  readonly accessLogs?: string;
  readonly mode?: 'delta' | 'sotw';
  /** Changes the bootstrap, as JSON without spaces. */
  readonly patch?: (bootstrap: string) => string;
  readonly maxHeapBytes?: number;
  /** TLS to the control plane. */
  readonly tls?: BootstrapOptions['tls'];
  /** The DNS servers that it asks. */
  readonly dns?: readonly ListenAddress[];
  /** Worker threads; one by default. */
  readonly workers?: number;
  /** The folder that it starts in: of its identity, where gateways are to have one. */
  readonly cwd?: string;
  readonly inbound?: { readonly listen: ListenAddress; readonly app: AppAddress };
}

/** How a control plane differs from the usual. */
export type MeshOptions = Partial<
  Pick<
    ControlPlaneOptions,
    'clock' | 'failbackStore' | 'hopLimit' | 'sources' | 'filterStore' | 'logger' | 'loopPrevention' | 'trust'
  >
> &
  Pick<ControlPlaneSeams, 'compiler' | 'believeNodes'> & {
    /** How long a deletion after which requests fail is delayed; not at all by default: tests mean it. */
    readonly deletionGraceMs?: number;
  };

/** A free port on loopback, as an address. */
export async function freeAddress(address = '127.0.0.1'): Promise<ListenAddress> {
  return { address, port: await freePort(address) };
}

/** Starts a control plane of IDC `idc` over a folder with these files, and over more sources. */
export async function startMesh(
  idc: string,
  files: Readonly<Record<string, string>>,
  options: MeshOptions = {},
): Promise<Mesh> {
  const dir = mkdtempSync(join(tmpdir(), 'isthmus-mesh-'));
  const children: ChildProcess[] = [];
  // A test that throws before its teardown leaves no Envoy behind.
  process.once('exit', () => {
    for (const child of children) child.kill('SIGKILL');
  });
  const servers: Server[] = [];
  const save = (file: string, text: string) => replaceFileSync(join(dir, file), text);
  for (const [file, text] of Object.entries(files)) save(file, text);
  const clock = systemClock;
  const start = (
    { sources = [], compiler, believeNodes = false, deletionGraceMs = 0, ...rest }: MeshOptions,
    xds: ListenAddress,
  ) =>
    startControlPlane(
      {
        idc,
        sources: [openSource(dir, { clock, soleMs: deletionGraceMs }), ...sources],
        xds,
        hopLimit: 1,
        clock,
        logger: silentLogger,
        ...rest,
      },
      { ...(compiler && { compiler }), believeNodes },
    );
  let plane = await start(options, { address: '127.0.0.1', port: 0 });
  return {
    get plane() {
      return plane;
    },
    async restart(next) {
      await plane.close();
      plane = await start(next, plane.xds);
    },
    save,
    remove: (file) => rmSync(join(dir, file)),
    async envoy(id, scope, more = {}) {
      const admin = await freeAddress();
      const { accessLogs } = more;
      const bootstrap = buildBootstrap({
        id,
        scope: {
          ...scope,
          ...(accessLogs === undefined ? {} : { accessLog: join(accessLogs, `${id}.log`) }),
          ...(more.cwd === undefined ? {} : { identity: true }),
        },
        xds: more.xds ?? [plane.xds],
        admin,
        ...(more.mode === undefined ? {} : { mode: more.mode }),
        ...(more.dns === undefined ? {} : { dns: more.dns }),
        ...(more.maxHeapBytes === undefined ? {} : { maxHeapBytes: more.maxHeapBytes }),
        ...(more.tls === undefined ? {} : { tls: more.tls }),
        ...(more.inbound === undefined ? {} : { inbound: more.inbound }),
      });
      const file = join(dir, `.${id}.json`);
      const text = JSON.stringify(bootstrap);
      writeFileSync(file, more.patch?.(text) ?? text);
      // Access logs are flushed every 10 s unless told otherwise; tests read them.
      const flags = ['--disable-hot-restart', '--file-flush-interval-msec', '50', '-l', 'error'];
      const args = ['-c', file, '--concurrency', String(more.workers ?? 1), ...flags];
      const child = spawn(findEnvoy(), args, { stdio: 'ignore', ...(more.cwd && { cwd: more.cwd }) });
      children.push(child);
      const isReady = async () => (await get(admin, '/ready')).status === 200;
      const ended = new Promise<never>((_, reject) => {
        child.once('exit', (code) =>
          reject(new Error(`Envoy ${id} ended with ${code}, before it was ready`)),
        );
      });
      await Promise.race([until(`Envoy ${id} is ready`, isReady, more.readyTimeoutMs), ended]);
      ended.catch(() => {});
      return { pid: child.pid as number, admin };
    },
    async app(handler) {
      const server = createServer(handler);
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return { address: '127.0.0.1', port: (server.address() as { port: number }).port };
    },
    async close() {
      for (const child of children) child.kill('SIGKILL');
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
      await plane.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/**
 * Polls until `check` holds (a throw counts as not yet); fails after a minute by default: the machine may be
 * busy.
 */
export async function until(
  what: string,
  check: () => boolean | Promise<boolean>,
  timeoutMs = 60_000,
): Promise<void> {
  const deadline = systemClock.now() + timeoutMs;
  const keepAlive = setInterval(() => {}, 1000);
  try {
    for (;;) {
      try {
        if (await check()) return;
      } catch {
        // Not yet.
      }
      if (systemClock.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s in vain: ${what}`);
      await sleep(systemClock, 20);
    }
  } finally {
    clearInterval(keepAlive);
  }
}

/** One request over a connection of its own. */
export function get(
  to: ListenAddress,
  path: string,
  options: {
    readonly host?: string;
    readonly method?: string;
    readonly headers?: Record<string, string>;
  } = {},
): Promise<Answer> {
  const headers = { ...options.headers, ...(options.host === undefined ? {} : { host: options.host }) };
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: to.address, port: to.port, path, method: options.method ?? 'GET', headers, agent: false },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => {
          body += chunk;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        );
        response.on('error', reject);
      },
    );
    sent.on('error', reject);
    sent.end();
  });
}
