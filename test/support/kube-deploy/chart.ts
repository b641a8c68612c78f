import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { type ApiServer, helm } from './api-server.ts';

/** The folder of the chart. */
export const chart = fileURLToPath(new URL('../../../deploy/helm/isthmus', import.meta.url));
const run = promisify(execFile);

// biome-ignore lint/suspicious/noExplicitAny: tests look into it as they please
export type Manifest = any;

/** Helm does not ask a server which version it would be for. */
export const kube = ['--kube-version', '1.35.4'];

/** The objects of a release `isthmus` in the namespace `isthmus-system`. */
export async function render(...flags: string[]): Promise<Manifest[]> {
  const { stdout } = await run(
    helm,
    ['template', 'isthmus', chart, '-n', 'isthmus-system', ...kube, ...flags],
    {
      maxBuffer: 64 * 2 ** 20,
    },
  );
  return parseAllDocuments(stdout)
    .map((document) => document.toJS())
    .filter((object) => object !== null);
}

const plurals: Readonly<Record<string, string>> = { NetworkPolicy: 'networkpolicies' };
const clusterWide = new Set([
  'ClusterRole',
  'ClusterRoleBinding',
  'MutatingWebhookConfiguration',
  'ValidatingWebhookConfiguration',
]);

/** Applies an object; dry unless `query` is ''. */
export function apply(server: ApiServer, object: Manifest, query = '&dryRun=All') {
  const { apiVersion, kind, metadata } = object;
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const place = clusterWide.has(kind) ? '' : `/namespaces/${metadata.namespace}`;
  const plural = plurals[kind] ?? `${kind.toLowerCase()}s`;
  const path = `${root}${place}/${plural}/${metadata.name}?fieldManager=t&fieldValidation=Strict${query}`;
  return server.call('PATCH', path, object, { contentType: 'application/apply-patch+yaml' });
}
