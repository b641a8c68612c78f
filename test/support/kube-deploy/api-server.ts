import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { freePort } from '../port.ts';

/** An answer of the API server. */
export interface KubeAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: objects of many kinds, of which tests read a field or two.
  readonly body: any;
  /** Warnings beside it (RFC 9110 has withdrawn the header; Kubernetes uses it). */
  readonly warnings: readonly string[];
}

/** A real etcd and kube-apiserver that live for one test file. */
export interface ApiServer {
  readonly url: string;
  /** The certificate by which its own is checked. */
  readonly ca: string;
  readonly kubeconfig: string;
  /** A request as an administrator, or as the bearer of another token. */
  call(method: string, path: string, body?: unknown, more?: CallOptions): Promise<KubeAnswer>;
  stop(): Promise<void>;
}

interface CallOptions {
  readonly contentType?: string;
  readonly token?: string;
}

const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'isthmus');
/** Where etcd and kube-apiserver are: the folder KUBE_TOOLS_DIR, or that of `make kube-tools`. */
const binaries = process.env.KUBE_TOOLS_DIR || join(cache, 'kube-1.35.4');
/** Where Helm is: the folder HELM_TOOLS_DIR, or that of `make helm-tools`. */
const helmFolder = process.env.HELM_TOOLS_DIR || join(cache, 'helm-3.22.0');
/** The path of Helm. */
export const helm = join(helmFolder, 'helm');

/**
 * Why there is no API server here, for `skip` of a test; false where there is one. With
 * KUBE_TOOLS=required that is an error.
 */
export function withoutApiServer(): string | false {
  // CI runs these tests as a step of their own.
  if (process.env.KUBE_TOOLS === 'apart') return 'tests with an API server are a step of their own';
  return (
    missing(join(binaries, 'etcd'), 'make kube-tools') ||
    missing(join(binaries, 'kube-apiserver'), 'make kube-tools')
  );
}

/** Why there is no Helm here, likewise. */
export function withoutHelm(): string | false {
  return missing(helm, 'make helm-tools');
}

function missing(path: string, how: string): string | false {
  if (existsSync(path)) return false;
  if (process.env.KUBE_TOOLS === 'required') throw new Error(`there is no ${path}: run ${how}`);
  return `there is no ${path}: run ${how}`;
}

/**
 * A folder as a Pod has it of its service account, and the variables that say where the API server is.
 * `token`: one of the server's tokens.
 */
export function serviceAccountOf(server: ApiServer, folder: string, namespace: string, token = 'admintoken') {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'token'), token);
  writeFileSync(join(folder, 'namespace'), namespace);
  copyFileSync(server.ca, join(folder, 'ca.crt'));
  const { hostname, port } = new URL(server.url);
  return { folder, env: { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port } };
}

const accountOf = (name: string) => `system:serviceaccount:isthmus-system:${name}`;
/** Tokens of service accounts, which may do what roles give them: `NAME-token`. */
const accountTokens = ['isthmus-controlplane', 'isthmus-webhook', 'isthmus-nobody']
  .map((name) => `${name}-token,${accountOf(name)},${name}\n`)
  .join('');

/** Starts etcd and kube-apiserver in `folder`, on free ports of 127.0.0.1. */
export async function startApiServer(folder: string): Promise<ApiServer> {
  mkdirSync(folder, { recursive: true });
  const [clients, peers, secure] = [await freePort(), await freePort(), await freePort()];
  const etcd = run(folder, 'etcd', [
    ...['--unsafe-no-fsync', '--data-dir', join(folder, 'etcd')],
    ...['--listen-client-urls', `http://127.0.0.1:${clients}`],
    ...['--advertise-client-urls', `http://127.0.0.1:${clients}`],
    ...['--listen-peer-urls', `http://127.0.0.1:${peers}`],
    ...['--initial-advertise-peer-urls', `http://127.0.0.1:${peers}`],
    ...['--initial-cluster', `default=http://127.0.0.1:${peers}`],
  ]);
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = join(folder, 'sa.key');
  writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const tokens = join(folder, 'tokens.csv');
  writeFileSync(tokens, `admintoken,admin,admin,"system:masters"\n${accountTokens}`);
  const apiserver = run(folder, 'kube-apiserver', [
    `--etcd-servers=http://127.0.0.1:${clients}`,
    `--cert-dir=${join(folder, 'certs')}`,
    ...['--bind-address=127.0.0.1', `--secure-port=${secure}`, '--advertise-address=10.244.255.1'],
    ...['--service-account-issuer=https://kubernetes.default.svc', `--service-account-key-file=${key}`],
    ...[`--service-account-signing-key-file=${key}`, `--token-auth-file=${tokens}`],
    ...['--authorization-mode=RBAC', '--service-cluster-ip-range=10.0.0.0/16'],
    ...['--disable-admission-plugins=ServiceAccount', '--endpoint-reconciler-type=none', '--profiling=false'],
  ]);
  const url = `https://127.0.0.1:${secure}`;
  const agent = new Agent({ allowH2: false, connect: { rejectUnauthorized: false } });
  const server: ApiServer = {
    ...{ url, ca: join(folder, 'certs/apiserver.crt') },
    kubeconfig: writeKubeconfig(folder, url),
    call: (method, path, body, more) => callOnce(agent, `${url}${path}`, method, body, more),
    async stop() {
      await agent.destroy();
      for (const child of [apiserver, etcd]) await ended(child);
    },
  };
  await ready(server, apiserver);
  return server;
}

function run(folder: string, name: string, args: readonly string[]): ChildProcess {
  const log = openSync(join(folder, `${name}.log`), 'w');
  return spawn(join(binaries, name), args, { stdio: ['ignore', log, log] });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const end = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await end;
}

/** Until it answers that it is ready, and the namespace `default` is there, which it makes itself. */
async function ready(server: ApiServer, apiserver: ChildProcess): Promise<void> {
  for (;;) {
    if (apiserver.exitCode !== null) throw new Error('kube-apiserver has ended: see its log');
    const [answer, namespace] = await Promise.all(
      ['/readyz', '/api/v1/namespaces/default'].map((path) =>
        server.call('GET', path).catch(() => undefined),
      ),
    );
    if (answer?.status === 200 && namespace?.status === 200) return;
    await sleep(100);
  }
}

async function callOnce(
  agent: Agent,
  url: string,
  method: string,
  body: unknown,
  { contentType = 'application/json', token = 'admintoken' }: CallOptions = {},
): Promise<KubeAnswer> {
  const answer = await request(url, {
    ...{ method: method as 'GET', dispatcher: agent },
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': contentType }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await answer.body.text();
  const { warning = [] } = answer.headers;
  return {
    status: answer.statusCode,
    body: /^[[{]/.test(text) ? JSON.parse(text) : text,
    warnings: [warning].flat(),
  };
}

function writeKubeconfig(folder: string, server: string): string {
  const path = join(folder, 'kubeconfig');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'u', user: { token: 'admintoken' } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'c',
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}
