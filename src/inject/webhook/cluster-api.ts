import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { MeshError } from '../../base/error.ts';
import { isMap } from '../../base/raw-map.ts';
import { describeSystemError } from '../../base/system-error.ts';

/** The API server of the cluster in which this process runs. */
export interface ClusterApi {
  readonly namespace: string;
  /**
   * The JSON of an answer, whose status is below 300. Rejects with MeshError: `not-found` (404), `conflict`
   * (409), `unavailable` for all else.
   */
  call(method: 'GET' | 'POST' | 'PUT' | 'PATCH', path: string, body?: unknown): Promise<unknown>;
  close(): Promise<void>;
}

/** The longest that an answer may take, in milliseconds. */
const answerMs = 10_000;

/**
 * Opens it as the service account whose token, certificate and namespace are in `folder`. The token is read
 * for each request: it is replaced from time to time. Rejects with MeshError `unavailable` outside of a
 * cluster.
 */
export async function openClusterApi(
  folder: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<ClusterApi> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
  if (!host || !port)
    throw new MeshError(
      'unavailable',
      'KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: this runs in a Pod of a cluster only',
    );
  const read = async (name: string) => {
    try {
      return (await readFile(join(folder, name), 'utf8')).trim();
    } catch (cause) {
      throw new MeshError(
        'unavailable',
        `${join(folder, name)} cannot be read: ${describeSystemError(cause)}`,
      );
    }
  };
  const [ca, namespace] = [await read('ca.crt'), await read('namespace')];
  const agent = new Agent({
    allowH2: false,
    connect: { ca },
    headersTimeout: answerMs,
    bodyTimeout: answerMs,
  });
  const origin = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  return {
    namespace,
    close: () => agent.close(),
    async call(method, path, body) {
      const headers = {
        authorization: `Bearer ${await read('token')}`,
        'content-type': method === 'PATCH' ? 'application/json-patch+json' : 'application/json',
      };
      const sent = body === undefined ? {} : { body: JSON.stringify(body) };
      const answer = await request(`${origin}${path}`, { method, dispatcher: agent, headers, ...sent }).catch(
        (cause) => {
          throw new MeshError('unavailable', `${origin} does not answer: ${describeSystemError(cause)}`, {
            cause,
          });
        },
      );
      const text = await answer.body.text();
      if (answer.statusCode < 300) return JSON.parse(text);
      throw refusal(answer.statusCode, method, path, text);
    },
  };
}

function refusal(status: number, method: string, path: string, text: string): MeshError {
  const code = status === 404 ? 'not-found' : status === 409 ? 'conflict' : 'unavailable';
  return new MeshError(code, `${method} ${path}: ${status} ${messageOf(text)}`, { ref: path });
}

/** The words of a Status; of other answers the beginning. */
function messageOf(text: string): string {
  try {
    const status: unknown = JSON.parse(text);
    if (isMap(status) && typeof status.message === 'string') return status.message;
  } catch {
    // Plain text, as of a proxy in between.
  }
  return text.slice(0, 200);
}
