import type { Row } from '../../judge/row.ts';
import { count } from '../document/fields.ts';
import { bound } from './bound.ts';

/**
 * Evidence that something was broken of which no request tells: a fault that does nothing would let any
 * system pass.
 */
function atLeast(id: string, claim: string, least: number, measured: number): Row {
  return { id, claim, bound: `≥ ${least}`, measured: String(measured), ok: measured >= least };
}

/** A name server was asked and did not answer. */
export const lookupsFailed = bound(
  count(1, 1_000_000).meta({
    description:
      'At least so many lookups of names failed at callers and ingress gateways while the load ran.',
  }),
  (m, least) => [
    atLeast('lookups-failed', 'Lookups of names by proxies that had no answer', least, m.lookupsFailed),
  ],
);

/** A control plane tried to write to its disk and could not. */
export const writesFailed = bound(
  count(1, 1_000_000).meta({
    description:
      'At least so many times a control plane said that it could not write registrations or state.',
  }),
  (m, least) => [
    atLeast(
      'writes-failed',
      'Times that a control plane said that it could not write',
      least,
      m.writesFailed,
    ),
  ],
);
