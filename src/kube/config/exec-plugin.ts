import { execFile } from 'node:child_process';
import type { Clock } from '../../base/clock.ts';
import { isMap, type RawMap } from '../../base/raw-map.ts';
import { safeExcerpt } from '../../base/text/safe-excerpt.ts';
import { checkedToken } from './credential-files.ts';
import type { FieldError, KubeCredentials } from './kube-access.ts';

/** `users[].user.exec` of a kubeconfig. */
interface ExecPlugin {
  readonly apiVersion: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** What to do if the command is not there, as the kubeconfig says it. */
  readonly installHint?: string;
  /** `spec.cluster` of the request, for plugins that ask for it. */
  readonly cluster?: RawMap;
}

/** What a plugin said. */
interface ExecCredential {
  readonly token?: string;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  /** Wall time in milliseconds. */
  readonly expiresAt: number;
}

/** The versions of the plugins' API that are spoken. */
const versions = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1'];

/** Longest time that a plugin may take, and how long before its end a credential is renewed. */
const [timeoutMs, marginMs] = [30_000, 30_000];

/**
 * Credentials of a plugin, as kubectl runs them: one run at a time, again when what it gave ends or was
 * refused. `folder`: where its command is run; a command with a slash is below it.
 */
export function createExecCredentials(
  plugin: ExecPlugin,
  run: { readonly fault: FieldError; readonly field: string; readonly folder: string; readonly clock: Clock },
): KubeCredentials {
  const { fault, field, clock } = run;
  if (!versions.includes(plugin.apiVersion))
    throw fault(
      `${field}.apiVersion`,
      `'${plugin.apiVersion}' is not supported: use ${versions.join(' or ')}.`,
    );
  let kept: Promise<ExecCredential> | undefined;

  async function current(): Promise<ExecCredential> {
    const before = kept;
    if (before !== undefined) {
      const found = await before;
      if (clock.wall() < found.expiresAt - marginMs) return found;
      if (kept === before) kept = undefined;
    }
    if (kept === undefined) {
      const asked = ask();
      kept = asked;
      asked.catch(() => {
        if (kept === asked) kept = undefined;
      });
    }
    return kept;
  }

  async function ask(): Promise<ExecCredential> {
    const info = {
      ...{ apiVersion: plugin.apiVersion, kind: 'ExecCredential' },
      spec: { interactive: false, ...(plugin.cluster && { cluster: plugin.cluster }) },
    };
    const env = { ...process.env, ...plugin.env, KUBERNETES_EXEC_INFO: JSON.stringify(info) };
    const output = await execute(plugin, env, run);
    return readCredential(output, plugin, (what, message) =>
      fault(`${field}.command`, `${what}: ${message}`),
    );
  }

  return {
    authorization: async () => {
      const { token } = await current();
      return token === undefined ? undefined : `Bearer ${token}`;
    },
    certificate: async () => {
      const { cert, key } = await current();
      return cert === undefined || key === undefined ? {} : { cert, key };
    },
    refused() {
      kept = undefined;
    },
  };
}

function execute(
  plugin: ExecPlugin,
  env: NodeJS.ProcessEnv,
  run: { readonly fault: FieldError; readonly field: string; readonly folder: string },
): Promise<string> {
  const options = { env, cwd: run.folder, timeout: timeoutMs, maxBuffer: 1024 * 1024 };
  return new Promise((resolve, reject) => {
    execFile(plugin.command, [...plugin.args], options, (reason, stdout, stderr) => {
      if (reason === null) return resolve(stdout);
      const isMissing = reason.code === 'ENOENT';
      const why = isMissing
        ? `${plugin.command} is not there. ${plugin.installHint ?? 'Install it, or correct the command.'}`
        : `${plugin.command} failed (${reason.killed ? `no answer for ${timeoutMs / 1000} s` : `exit code ${reason.code}`}): ${safeExcerpt(stderr, 300)}`;
      reject(run.fault(`${run.field}.command`, why, reason));
    });
  });
}

function readCredential(output: string, plugin: ExecPlugin, fault: FieldError): ExecCredential {
  const what = plugin.command;
  let raw: unknown;
  try {
    raw = JSON.parse(output);
  } catch (cause) {
    throw fault(what, 'what it printed is not JSON: it must print an ExecCredential.', cause);
  }
  const status = isMap(raw) && raw.kind === 'ExecCredential' && isMap(raw.status) ? raw.status : undefined;
  if (status === undefined) throw fault(what, 'it printed no ExecCredential with a status.');
  const { token, clientCertificateData: cert, clientKeyData: key, expirationTimestamp } = status;
  const expiresAt = typeof expirationTimestamp === 'string' ? Date.parse(expirationTimestamp) : Number.NaN;
  if (typeof token !== 'string' && (typeof cert !== 'string' || typeof key !== 'string'))
    throw fault(what, 'it gave neither a token nor a certificate with its key.');
  return {
    ...(typeof token === 'string' && { token: checkedToken(token, what, fault) }),
    ...(typeof cert === 'string' && { cert: Buffer.from(cert) }),
    ...(typeof key === 'string' && { key: Buffer.from(key) }),
    expiresAt: Number.isNaN(expiresAt) ? Number.POSITIVE_INFINITY : expiresAt,
  };
}
