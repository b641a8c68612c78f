import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { Pool } from 'undici';
import { MeshError } from '../base/error.ts';
import type { ListenAddress } from '../model/node.ts';
import type { ReplicaAsk } from '../registry/replica.ts';
import { showAddress } from './address.ts';
import { replicaPath } from './replica-path.ts';

/** An answer of the registration API. */
export interface ClientAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A client of the registration API of one control plane. */
export interface RegistrationClient {
  /**
   * One request. `path` is below `/v1/registrations`. Any status resolves; throws MeshError `unavailable` when no
   * answer comes within `timeoutMs`.
   */
  call(
    method: 'GET' | 'PUT' | 'POST' | 'DELETE',
    path: string,
    options: {
      readonly query?: Readonly<Record<string, string | number | undefined>>;
      readonly body?: unknown;
      readonly timeoutMs: number;
      readonly signal?: AbortSignal;
    },
  ): Promise<ClientAnswer>;
  /** What one control plane asks another for; throws MeshError when it does not answer, or refuses. */
  pull(ask: ReplicaAsk, signal: AbortSignal): Promise<unknown>;
  close(): Promise<void>;
}

/** Where the control plane is, and with what right it is asked. */
export interface ClientOptions {
  readonly admin: ListenAddress;
  readonly token: string | undefined;
}

/** Creates a client; connects when it is first used. */
export function createRegistrationClient({ admin, token }: ClientOptions): RegistrationClient {
  // A call that waits for ACKs must not hold up a renewal: two connections.
  const pool = new Pool(`http://${showAddress(admin)}`, { connections: 2, connectTimeout: 2_000 });

  const send: RegistrationClient['call'] = async (method, path, options) => {
    const { query = {}, body, timeoutMs, signal } = options;
    const set = Object.entries(query).filter(([, value]) => value !== undefined);
    const texts = Object.fromEntries(set.map(([name, value]) => [name, String(value)]));
    const search = new URLSearchParams(texts).toString();
    let status: number;
    let text: string;
    try {
      const response = await pool.request({
        method,
        path: `${path}${search === '' ? '' : `?${search}`}`,
        ...(signal === undefined ? {} : { signal }),
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      status = response.statusCode;
      text = await response.body.text();
    } catch (cause) {
      const message = `the control plane at ${showAddress(admin)} does not answer: ${(cause as Error).message}`;
      throw new MeshError('unavailable', message, { cause });
    }
    try {
      return { status, body: JSON.parse(text) };
    } catch (cause) {
      const message = `${showAddress(admin)} answers ${status} and no JSON: it is no admin address of a control plane`;
      throw new MeshError('unavailable', message, { cause });
    }
  };

  return {
    call: (method, path, options) => send(method, `/v1/registrations${path}`, options),
    async pull({ from, since, holdMs }, signal) {
      const query = { from, since, hold: holdMs === 0 ? undefined : holdMs };
      const answer = await send('GET', replicaPath, { query, timeoutMs: holdMs + pullMsMax, signal });
      if (answer.status !== 200) throw new MeshError('unavailable', refusalOf(answer));
      return answer.body;
    },
    close: () => pool.destroy(),
  };
}

/** How long an answer to another control plane may take, beyond the time that it is held. Milliseconds. */
const pullMsMax = 10_000;

/** The words of an answer that refuses. */
export function refusalOf({ status, body }: ClientAnswer): string {
  return `${typeof body.message === 'string' ? body.message : 'no reason given'} (HTTP ${status})`;
}

/** The token: of a file, else of the environment. Throws MeshError `unavailable` when the file cannot be read. */
export function readClientToken(file: string | undefined, env: NodeJS.ProcessEnv): string | undefined {
  const path = file ?? env.ISTHMUS_TOKEN_FILE;
  if (path === undefined) return env.ISTHMUS_TOKEN?.trim();
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    throw new MeshError('unavailable', `cannot read the token file: ${(cause as Error).message}`, { cause });
  }
}

/** The address from which this machine reaches the control plane: where others most likely reach this machine. */
export function ownAddressTowards(admin: ListenAddress): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: admin.address, port: admin.port });
    socket.setTimeout(2_000, () => socket.destroy(new Error('no connection within 2 s')));
    socket.once('connect', () => {
      resolve(socket.localAddress as string);
      socket.destroy();
    });
    socket.once('error', (cause) => {
      const message = `give --address: the control plane at ${showAddress(admin)} does not answer, so this machine's address is not known (${cause.message})`;
      reject(new MeshError('unavailable', message, { cause }));
    });
  });
}
