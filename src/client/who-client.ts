import { MeshError } from '../base/error.ts';
import type { Answer } from '../contract/contract.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';
import { askOnce, createApiClient, type Reply } from './api-client.ts';

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
export function askWho(admin: ListenAddress, host: string, intervalMs: number): Promise<WhoAnswer> {
  const query = { for: `${intervalMs}ms` };
  const call = { path: { host }, query, timeoutMs: intervalMs + readMsMax, heldMs: intervalMs };
  return askOnce(admin, 'getWho', call, { 404: 'not-found' });
}

/**
 * Asks a control plane which Groups its IDC does not serve itself. Undefined: it does not say, or not in
 * time.
 */
export function askServed(admin: ListenAddress): Promise<ServedAnswer | undefined> {
  return askOnce(admin, 'getServed', { timeoutMs: readMsMax }).catch(() => undefined);
}

/** The addresses of all IDCs, and which gateways of other IDCs answer, as one control plane knows it. */
export type NetworkAnswer = Answer<'getNetwork'>['body'];

/**
 * Asks a control plane for the addresses of all IDCs, and which gateways answer. Undefined: its version does
 * not say. Throws MeshError `unavailable` without an answer.
 */
export async function askNetwork(admin: ListenAddress): Promise<NetworkAnswer | undefined> {
  try {
    return await askOnce(admin, 'getNetwork', { timeoutMs: readMsMax }, { 404: 'not-found' });
  } catch (reason) {
    if (reason instanceof MeshError && reason.code === 'not-found') return undefined;
    throw reason;
  }
}

/** What a control plane says to a token: what it may be used for, or the refusal. */
export type TokenAnswer = Reply<'checkToken'>;

/** Shows a control plane a token, which changes nothing. Throws MeshError `unavailable` without an answer. */
export async function askToken(admin: ListenAddress, token: string): Promise<TokenAnswer> {
  const client = createApiClient({ admin, token });
  try {
    return await client.call('checkToken', { timeoutMs: readMsMax });
  } finally {
    await client.close();
  }
}
