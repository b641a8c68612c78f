import { MeshError } from '../base/error.ts';
import type { Answer, QueryInput } from '../contract/contract.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';
import { createApiClient } from './api-client.ts';

/** The way of a request, as one control plane plans it. */
export type ExplainAnswer = Answer<'explain'>['body'];

/** Time for an answer, in milliseconds: proxies that hang are waited for. */
const answerMsMax = 10_000;

/**
 * Asks a control plane which way a request for a host goes. Throws MeshError `unavailable` without an answer,
 * `not-found` and `invalid` as the control plane answers.
 */
export async function askExplain(
  admin: ListenAddress,
  host: string,
  query: QueryInput<'explain'>,
): Promise<ExplainAnswer> {
  const client = createApiClient({ admin, token: undefined });
  try {
    const reply = await client.call('explain', { path: { host }, query, timeoutMs: answerMsMax });
    if (!reply.isRefused) return reply.body;
    const codes = { 400: 'invalid', 404: 'not-found' } as const;
    throw new MeshError(codes[reply.status as keyof typeof codes] ?? 'unavailable', reply.detail);
  } finally {
    await client.close();
  }
}
