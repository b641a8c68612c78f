import { dirname, resolve } from 'node:path';
import yaml from 'js-yaml';
import type { Clock } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { readBounded } from '../../base/files/bounded-file.ts';
import { isMap, type RawMap } from '../../base/raw-map.ts';
import { describeSystemError } from '../../base/system-error.ts';
import { didYouMean } from '../../base/text/suggest.ts';
import type { FieldError, KubeAccess, KubeTls } from './kube-access.ts';
import { dataOrFile } from './pem-field.ts';
import { userCredentials } from './user-credentials.ts';

/** Which kubeconfig, and which of its contexts; absent: its current one. */
interface KubeconfigChoice {
  readonly file: string;
  readonly context?: string | undefined;
}

/** Largest kubeconfig. */
const bytesMax = 4 * 1024 * 1024;

/**
 * Reads how to get to an API server. Files that it names are read when they are needed, and again as they
 * change. Throws MeshError `invalid` with file, context and field.
 */
export function readKubeconfig({ file, context }: KubeconfigChoice, clock: Clock): KubeAccess {
  return accessOf(load(file), { file, context }, clock, () => {});
}

/**
 * Reads a kubeconfig that is not on this machine, such as that of a Secret. What it says is not to be run or
 * read here: plugins and paths of files are refused. `place`: where it is from, for messages. Throws as
 * `readKubeconfig` does.
 */
export function readForeignKubeconfig(content: string, place: string, clock: Clock): KubeAccess {
  const fault = faultOf(place);
  return accessOf(parse(content, fault), { file: place }, clock, (map, at) => {
    for (const field of localFields)
      if (map[field] !== undefined)
        throw fault(
          `${at}.${field}`,
          'is not taken from elsewhere: give a token, or certificates as …-data.',
        );
  });
}

/** Fields by which a kubeconfig names programs and files. */
const localFields = ['exec', 'tokenFile', 'client-certificate', 'client-key', 'certificate-authority'];

function accessOf(
  root: RawMap,
  { file, context }: KubeconfigChoice,
  clock: Clock,
  check: (map: RawMap, at: string) => void,
): KubeAccess {
  const unnamed = faultOf(file);
  const name = context ?? root['current-context'];
  if (typeof name !== 'string' || name === '')
    throw unnamed('current-context', 'is not set: set it, or give --kube-context.');
  const fault = faultOf(file, name);
  const [chosen] = find(root, 'contexts', 'context', name, fault);
  const [cluster, clusterAt] = find(root, 'clusters', 'cluster', text(chosen, 'cluster'), fault, name);
  const folder = dirname(resolve(file));
  const [user, userAt] =
    text(chosen, 'user') === ''
      ? [{}, 'users']
      : find(root, 'users', 'user', text(chosen, 'user'), fault, name);
  check(cluster, clusterAt);
  check(user, userAt);
  const server = serverOf(cluster, clusterAt, fault);
  const serverTls = () => tlsOf(cluster, clusterAt, folder, fault);
  return {
    server,
    origin: `kubeconfig ${file}, context ${name}`,
    namespace: text(chosen, 'namespace') || 'default',
    serverTls,
    credentials: userCredentials(user, { field: userAt, folder, fault, clock, cluster: { ...cluster } }),
  };
}

function faultOf(file: string, context?: string): FieldError {
  const where = context === undefined ? file : `${file}: context ${context}`;
  return (field, message, cause) =>
    new MeshError('invalid', `kubeconfig ${where}: ${field}: ${message}`, { ref: file, cause });
}

function load(file: string): RawMap {
  let content: string;
  try {
    content = readBounded(file, bytesMax).toString('utf8');
  } catch (cause) {
    const why = describeSystemError(cause);
    throw new MeshError('invalid', `kubeconfig ${file} cannot be read: ${why}. Give a file that can be.`, {
      ref: file,
      cause,
    });
  }
  return parse(content, faultOf(file));
}

function parse(content: string, fault: FieldError): RawMap {
  let root: unknown;
  try {
    root = yaml.load(content, { schema: yaml.CORE_SCHEMA });
  } catch (cause) {
    throw fault('the file', `is not YAML: ${(cause as Error).message.split('\n', 1)[0]}`, cause);
  }
  if (!isMap(root) || root.kind !== 'Config')
    throw fault('kind', 'is not Config: this is not a kubeconfig. Give one.');
  return root;
}

/** The entry of a list by name, and its path for messages. */
function find(
  root: RawMap,
  list: 'contexts' | 'clusters' | 'users',
  field: 'context' | 'cluster' | 'user',
  name: string,
  fault: FieldError,
  context?: string,
): readonly [RawMap, string] {
  const entries = Array.isArray(root[list]) ? root[list].filter(isMap) : [];
  const at = entries.findIndex((entry) => entry.name === name);
  const found = entries[at]?.[field];
  if (isMap(found)) return [found, `${list}[${at}].${field}`];
  const names = entries.map((entry) => String(entry.name));
  const by = context === undefined ? '' : `, which contexts[${context}] names,`;
  const known = names.length === 0 ? `has no ${list}` : `has ${names.join(', ')}`;
  throw fault(list, `no ${field} '${name}'${by} is there: the file ${known}.${didYouMean(name, names)}`);
}

function text(map: RawMap, key: string): string {
  const value = map[key];
  return typeof value === 'string' ? value : '';
}

function serverOf(cluster: RawMap, at: string, fault: FieldError): URL {
  const address = text(cluster, 'server');
  if (address === '') throw fault(`${at}.server`, 'is missing: give the address of the API server.');
  if (!URL.canParse(address)) throw fault(`${at}.server`, `'${address}' is not a URL.`);
  const url = new URL(address);
  if (url.protocol !== 'https:')
    throw fault(
      `${at}.server`,
      `'${address}' is not https, which watches need for HTTP/2: give the API server itself.`,
    );
  if (cluster['proxy-url'] !== undefined)
    throw fault(`${at}.proxy-url`, 'is not supported: give an address that is reached without a proxy.');
  return url;
}

async function tlsOf(cluster: RawMap, at: string, folder: string, fault: FieldError): Promise<KubeTls> {
  const ca = await dataOrFile(cluster, 'certificate-authority', at, folder, fault);
  const servername = text(cluster, 'tls-server-name');
  return {
    ...(ca && { ca }),
    ...(servername !== '' && { servername }),
    rejectUnauthorized: cluster['insecure-skip-tls-verify'] !== true,
  };
}
