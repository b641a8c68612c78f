import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { createTokenFile, readNamedFile } from './credential-files.ts';
import type { FieldError, KubeAccess } from './kube-access.ts';

/** Where kubelet puts what a Pod's service account has. */
const serviceAccountFolder = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * The API server of the cluster that this Pod runs in. `asked`: how messages begin, and what to do elsewhere.
 * Throws MeshError `invalid` outside of a Pod.
 */
export function inClusterAccess(
  clock: Clock,
  environment: Readonly<Record<string, string | undefined>> = process.env,
  folder: string = serviceAccountFolder,
  asked = { by: '--in-cluster', instead: 'Give --kubeconfig instead.' },
): KubeAccess {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = environment;
  const fault: FieldError = (field, message, cause) =>
    new MeshError('invalid', `${asked.by}: ${field}: ${message}`, { ref: folder, cause });
  if (!host || !port)
    throw fault('KUBERNETES_SERVICE_HOST and _PORT', `are not set: this is not a Pod. ${asked.instead}`);
  const token = createTokenFile(join(folder, 'token'), 'token', fault, clock);
  return {
    server: new URL(`https://${host.includes(':') ? `[${host}]` : host}:${port}`),
    origin: 'the service account of this Pod',
    namespace: namespaceIn(folder),
    serverTls: async () => ({
      ca: await readNamedFile(join(folder, 'ca.crt'), 'ca.crt', fault),
      rejectUnauthorized: true,
    }),
    credentials: {
      authorization: async () => `Bearer ${await token.read()}`,
      certificate: async () => ({}),
      refused: () => token.forget(),
    },
  };
}

/** The Pod's namespace, which kubelet puts beside the token. */
function namespaceIn(folder: string): string {
  try {
    return readFileSync(join(folder, 'namespace'), 'utf8').trim() || 'default';
  } catch {
    return 'default';
  }
}
