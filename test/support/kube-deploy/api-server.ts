import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { adminToken, KubeApi } from '../kube/kube-api.ts';

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
/** Where Helm is: the folder HELM_TOOLS_DIR, or that of `make helm-tools`. */
const helmFolder = process.env.HELM_TOOLS_DIR || join(cache, 'helm-3.22.0');
/** The path of Helm. */
export const helm = join(helmFolder, 'helm');

/** Why there is no Helm here, for `skip` of a test; with KUBE_TOOLS=required that is an error. */
export function withoutHelm(): string | false {
  if (existsSync(helm)) return false;
  if (process.env.KUBE_TOOLS === 'required') throw new Error(`there is no ${helm}: run make helm-tools`);
  return `there is no ${helm}: run make helm-tools`;
}

/**
 * A folder as a Pod has it of its service account, and the variables that say where the API server is.
 * `token`: one of the server's tokens.
 */
export function serviceAccountOf(server: ApiServer, folder: string, namespace: string, token = adminToken) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'token'), token);
  writeFileSync(join(folder, 'namespace'), namespace);
  copyFileSync(server.ca, join(folder, 'ca.crt'));
  const { hostname, port } = new URL(server.url);
  return { folder, env: { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port } };
}

const accountOf = (name: string) => `system:serviceaccount:isthmus-system:${name}`;
/** Tokens of service accounts, which may do what roles give them: `NAME-token`. */
const accountTokens = [
  ...['isthmus-controlplane', 'isthmus-webhook', 'isthmus-nobody'],
  ...['isthmus-registrar', 'isthmus-registrar-apps-1'],
]
  .map((name) => `${name}-token,${accountOf(name)},${name}\n`)
  .join('');

/** Starts etcd and kube-apiserver, with tokens of service accounts; `folder`: for these and a kubeconfig. */
export async function startApiServer(folder: string): Promise<ApiServer> {
  mkdirSync(folder, { recursive: true });
  const tokens = join(folder, 'tokens.csv');
  writeFileSync(tokens, `${adminToken},admin,admin,"system:masters"\n${accountTokens}`);
  const ends: (() => Promise<void>)[] = [];
  const teardown = (end: () => Promise<void>) => void ends.push(end);
  const flags = [`--token-auth-file=${tokens}`, '--service-cluster-ip-range=10.0.0.0/16'];
  const api = await KubeApi.start({ teardown }, flags);
  const agent = new Agent({ allowH2: false, connect: { rejectUnauthorized: false } });
  const server: ApiServer = {
    ...{ url: api.url, ca: api.caFile, kubeconfig: api.kubeconfig() },
    call: (method, path, body, more) => callOnce(agent, `${api.url}${path}`, method, body, more),
    async stop() {
      await agent.destroy();
      for (const end of ends) await end();
    },
  };
  // It makes this namespace itself, a moment after it is ready.
  while ((await server.call('GET', '/api/v1/namespaces/default')).status !== 200) await sleep(100);
  return server;
}

async function callOnce(
  agent: Agent,
  url: string,
  method: string,
  body: unknown,
  { contentType = 'application/json', token = adminToken }: CallOptions = {},
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
