import { MeshError } from '../base/error.ts';
import type { Answer } from '../contract/contract.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';
import { createApiClient } from './api-client.ts';

/** Who serves a host, as one control plane's proxies see it. */
export type WhoAnswer = Answer<'getWho'>['body'];

/** Which Groups an IDC does not serve itself. */
export type ServedAnswer = Answer<'getServed'>['body'];

/** Time that readings may take besides their interval, in milliseconds. */
const readMsMax = 10_000;

/**
 * Asks a control plane who serves a host; `intervalMs`: for how long requests are counted. Throws MeshError
 * `unavailable` without an answer, `not-found` if its registry does not declare the host.
 */
export async function askWho(admin: ListenAddress, host: string, intervalMs: number): Promise<WhoAnswer> {
  const client = createApiClient({ admin, token: undefined });
  try {
    const reply = await client.call('getWho', {
      path: { host },
      query: { for: `${intervalMs}ms` },
      timeoutMs: intervalMs + readMsMax,
    });
    if (!reply.isRefused) return reply.body;
    throw new MeshError(reply.status === 404 ? 'not-found' : 'unavailable', reply.detail);
  } finally {
    await client.close();
  }
}

/**
 * Asks a control plane which Groups its IDC does not serve itself. Undefined: it does not say, or not in
 * time.
 */
export async function askServed(admin: ListenAddress): Promise<ServedAnswer | undefined> {
  const client = createApiClient({ admin, token: undefined });
  try {
    const reply = await client.call('getServed', { timeoutMs: readMsMax });
    return reply.isRefused ? undefined : reply.body;
  } catch {
    return undefined;
  } finally {
    await client.close();
  }
}
