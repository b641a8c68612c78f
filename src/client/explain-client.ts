import type { Answer, QueryInput } from '../contract/contract.ts';
import type { ListenAddress } from '../model/values/listen-address.ts';
import { askOnce } from './api-client.ts';

/** The way of a request, as one control plane plans it. */
export type ExplainAnswer = Answer<'explain'>['body'];

/** A question: where the request begins, and what it is like. */
export type ExplainQuery = QueryInput<'explain'>;

/** Time for an answer, in milliseconds: proxies that hang are waited for. */
const answerMsMax = 10_000;

/**
 * Asks a control plane which way a request for a host goes. Throws MeshError `unavailable` without an answer,
 * `not-found` and `invalid` as the control plane answers.
 */
export function askExplain(admin: ListenAddress, host: string, query: ExplainQuery): Promise<ExplainAnswer> {
  const codes = { 400: 'invalid', 404: 'not-found' } as const;
  return askOnce(admin, 'explain', { path: { host }, query, timeoutMs: answerMsMax }, codes);
}
