import type { Answer } from '../contract/contract.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';
import { askOnce } from './api-client.ts';

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
  const call = { path: { host }, query, timeoutMs: intervalMs + readMsMax };
  return askOnce(admin, 'getWho', call, { 404: 'not-found' });
}

/**
 * Asks a control plane which Groups its IDC does not serve itself. Undefined: it does not say, or not in
 * time.
 */
export function askServed(admin: ListenAddress): Promise<ServedAnswer | undefined> {
  return askOnce(admin, 'getServed', { timeoutMs: readMsMax }).catch(() => undefined);
}
