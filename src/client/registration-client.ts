import { connect } from 'node:net';
import { MeshError } from '../base/error.ts';
import { type ListenAddress, showAddress } from '../model/values/listen-address.ts';
import type { ReplicaAsk } from '../registry/registrations/replica.ts';
import { type ApiClient, type ClientOptions, createApiClient, refusalOf } from './api-client.ts';
import { readToken } from './token.ts';

/** An API client of one control plane, for instances and for peer control planes. */
export interface RegistrationClient extends ApiClient {
  /** Pulls registrations as a peer; throws MeshError without an answer, or if refused. */
  pull(ask: ReplicaAsk, signal: AbortSignal): Promise<unknown>;
  /** Pulls evacuations as a peer; throws as `pull`. */
  pullEvacuations(signal: AbortSignal): Promise<unknown>;
  /** Pulls drains as a peer; throws as `pull`. */
  pullDrains(signal: AbortSignal): Promise<unknown>;
  close(): Promise<void>;
}

/** Creates a client; connects on first use. */
export function createRegistrationClient(options: ClientOptions): RegistrationClient {
  const client = createApiClient(options);
  const pullRecords = async (id: 'replicateEvacuations' | 'replicateDrains', signal: AbortSignal) => {
    const answer = await client.call(id, { timeoutMs: pullMsMax, signal });
    if (answer.isRefused) throw new MeshError('unavailable', refusalOf(answer));
    return answer.body;
  };
  return {
    ...client,
    async pull({ from, since, holdMs }, signal) {
      const query = { from, since, hold: holdMs === 0 ? undefined : holdMs };
      const answer = await client.call('replicate', {
        query,
        timeoutMs: holdMs + pullMsMax,
        signal,
      });
      if (answer.isRefused) throw new MeshError('unavailable', refusalOf(answer));
      return answer.body;
    },
    pullEvacuations: (signal) => pullRecords('replicateEvacuations', signal),
    pullDrains: (signal) => pullRecords('replicateDrains', signal),
  };
}

/** Time limit of an answer to a peer beyond the time that it is held. Milliseconds. */
const pullMsMax = 10_000;

/**
 * The token, from a file or else from the environment. Throws MeshError `unavailable` if the file cannot be
 * read.
 */
export function readClientToken(file: string | undefined, env: NodeJS.ProcessEnv): string | undefined {
  if (file !== undefined) return readToken(file, '--token-file');
  if (env.ISTHMUS_TOKEN_FILE) return readToken(env.ISTHMUS_TOKEN_FILE, 'ISTHMUS_TOKEN_FILE');
  return env.ISTHMUS_TOKEN?.trim();
}

/** This machine's address towards the control plane: most likely reachable by others. */
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
