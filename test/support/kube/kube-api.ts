import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where the end of an API server is noted, such as a test. */
interface Owner {
  teardown(end: () => Promise<void>): void;
}

import { Agent, request } from 'undici';
import { freePort } from '../port.ts';
import { endsWithMe } from './ends-with-me.ts';

/** The version that `make kube-tools` builds. */
const version = '1.35.4';

/** Who may do everything, and who may do what a test gives them: tokens. */
export const adminToken = 'admintoken';
export const limitedToken = 'limitedtoken';

/** The folder of etcd and kube-apiserver; undefined where they are not built. */
export function kubeTools(): string | undefined {
  // CI runs these tests as a step of their own.
  if (process.env.KUBE_TOOLS === 'apart') return undefined;
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const folder = process.env.KUBE_TOOLS_DIR || join(cache, 'isthmus', `kube-${version}`);
  const isThere = ['etcd', 'kube-apiserver'].every((name) => existsSync(join(folder, name)));
  if (isThere) return folder;
  if (process.env.KUBE_TOOLS === 'required')
    throw new Error(`there is no etcd and kube-apiserver in ${folder}: run make kube-tools`);
  return undefined;
}

/** Why tests of Kubernetes are left out; false: they are not. For `skip` of tap. */
export const withoutKube = kubeTools() === undefined && 'no kube-apiserver: run make kube-tools';

/** What an API server answered. */
interface KubeAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** A real API server with an etcd of its own. */
export class KubeApi {
  readonly folder: string;
  readonly port: number;
  readonly etcdPort: number;
  readonly #tools: string;
  readonly #agent = new Agent({ connect: { rejectUnauthorized: false } });
  #etcd: ChildProcess | undefined;
  #server: ChildProcess | undefined;

  private constructor(tools: string, folder: string, etcdPort: number, port: number) {
    this.#tools = tools;
    this.folder = folder;
    this.etcdPort = etcdPort;
    this.port = port;
  }

  /** Starts both; resolves when the API server is ready. They end with the test. */
  static async start(t: Owner, flags: readonly string[] = []): Promise<KubeApi> {
    const tools = kubeTools();
    if (tools === undefined) throw new Error('no kube-apiserver: run make kube-tools');
    const folder = mkdtempSync(join(tmpdir(), 'isthmus-kube-'));
    const [etcdPort, port] = [await freePort(), await freePort()];
    const api = new KubeApi(tools, folder, etcdPort, port);
    t.teardown(() => api.close());
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    writeFileSync(join(folder, 'sa.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }));
    writeFileSync(
      join(folder, 'tokens.csv'),
      `${adminToken},admin,admin-uid,"system:masters"\n${limitedToken},limited,limited-uid\n`,
    );
    await api.startEtcd();
    await api.startServer(flags);
    return api;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  /** The certificate of the server, which is its own authority. */
  get caFile(): string {
    return join(this.folder, 'certs', 'apiserver.crt');
  }

  /**
   * Writes a kubeconfig; `user`: of whom, as in a kubeconfig; `server`: of another address; `authority`:
   * where its certificate is.
   */
  kubeconfig(
    user: Record<string, unknown> = { token: adminToken },
    server = this.url,
    authority: 'file' | 'inline' = 'file',
  ): string {
    const file = join(this.folder, `kubeconfig-${Math.random().toString(36).slice(2)}`);
    const trust =
      authority === 'file'
        ? { 'certificate-authority': this.caFile }
        : { 'certificate-authority-data': readFileSync(this.caFile).toString('base64') };
    const config = {
      ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'c' },
      clusters: [{ name: 'k', cluster: { server, ...trust } }],
      users: [{ name: 'u', user }],
      contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
    };
    writeFileSync(file, JSON.stringify(config));
    return file;
  }

  /** Starts etcd, again after `stopEtcd`, with what it had; resolves when it answers. */
  async startEtcd(): Promise<void> {
    const peer = `http://127.0.0.1:${await freePort()}`;
    const client = `http://127.0.0.1:${this.etcdPort}`;
    this.#etcd = this.#spawn('etcd', [
      ...['--unsafe-no-fsync', '--data-dir', join(this.folder, 'etcd'), '--log-level', 'error'],
      ...['--listen-client-urls', client, '--advertise-client-urls', client, '--listen-peer-urls', peer],
      ...['--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`],
    ]);
    await this.#until('etcd', async () => (await this.etcd('/v3/maintenance/status', {})).length > 0);
  }

  /** Starts the API server, again after `stopServer`; resolves when it is ready. */
  async startServer(flags: readonly string[] = []): Promise<void> {
    const key = join(this.folder, 'sa.key');
    this.#server = this.#spawn('kube-apiserver', [
      ...[`--etcd-servers=http://127.0.0.1:${this.etcdPort}`, `--cert-dir=${join(this.folder, 'certs')}`],
      ...['--bind-address=127.0.0.1', '--advertise-address=10.244.255.1', `--secure-port=${this.port}`],
      ...['--service-account-issuer=https://kubernetes.default.svc', `--service-account-key-file=${key}`],
      ...[`--service-account-signing-key-file=${key}`, '--service-cluster-ip-range=10.0.0.0/24'],
      ...[`--token-auth-file=${join(this.folder, 'tokens.csv')}`, '--authorization-mode=RBAC'],
      ...['--disable-admission-plugins=ServiceAccount', '--endpoint-reconciler-type=none'],
      ...['--enable-priority-and-fairness=false', '--profiling=false', '--shutdown-delay-duration=0s'],
      ...flags,
    ]);
    await this.#until('kube-apiserver', async () => (await this.call('GET', '/readyz')).status === 200);
  }

  /** Ends the API server with a signal; resolves once it has ended. */
  async stopServer(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await end(this.#server, signal);
  }

  /** Ends etcd as a power cut does; resolves once it has ended. */
  async stopEtcd(): Promise<void> {
    await end(this.#etcd, 'SIGKILL');
  }

  /** Sends the API server a signal. */
  signal(signal: NodeJS.Signals): void {
    this.#server?.kill(signal);
  }

  get serverPid(): number {
    return this.#server?.pid ?? 0;
  }

  /** A request of the administrator. */
  async call(
    method: string,
    path: string,
    body?: unknown,
    contentType = 'application/json',
  ): Promise<KubeAnswer> {
    const answer = await request(`${this.url}${path}`, {
      method: method as 'GET',
      dispatcher: this.#agent,
      headers: {
        authorization: `Bearer ${adminToken}`,
        ...(body !== undefined && { 'content-type': contentType }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    let parsed: unknown = text;
    try {
      parsed = JSON.parse(text);
    } catch {}
    return { status: answer.statusCode, body: parsed };
  }

  /** The same; rejects unless it succeeds, or is refused with a status of `others`. */
  async must(method: string, path: string, body?: unknown, others: readonly number[] = []): Promise<unknown> {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : undefined;
    const answer = await this.call(method, path, body, type);
    if (answer.status < 300 || others.includes(answer.status)) return answer.body;
    throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }

  /** A request to etcd's gateway, in JSON. */
  etcd(path: string, body: unknown): Promise<string> {
    return new Promise((resolve, reject) => {
      const asked = httpRequest(
        { port: this.etcdPort, host: '127.0.0.1', path, method: 'POST' },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on('data', (chunk) => chunks.push(chunk));
          answer.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            if (answer.statusCode === 200) resolve(text);
            else reject(new Error(`etcd ${path}: ${answer.statusCode} ${text}`));
          });
        },
      );
      asked.on('error', reject);
      asked.end(JSON.stringify(body));
    });
  }

  async close(): Promise<void> {
    this.#server?.kill('SIGCONT');
    await Promise.all([end(this.#server, 'SIGKILL'), end(this.#etcd, 'SIGKILL'), this.#agent.destroy()]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  #spawn(name: string, args: readonly string[]): ChildProcess {
    const log = openSync(join(this.folder, `${name}.log`), 'a');
    const child = spawn(join(this.#tools, name), args, { stdio: ['ignore', log, log] });
    endsWithMe(child);
    return child;
  }

  async #until(name: string, isReady: () => Promise<boolean>): Promise<void> {
    for (const end = Date.now() + 120_000; Date.now() < end; await sleep(50)) {
      const process = name === 'etcd' ? this.#etcd : this.#server;
      if (process?.exitCode !== null) break;
      if (await isReady().catch(() => false)) return;
    }
    const log = readFileSync(join(this.folder, `${name}.log`), 'utf8');
    throw new Error(`${name} is not ready: ${log.slice(-2_000)}`);
  }
}

async function end(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}
