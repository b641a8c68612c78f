import type { Row } from '../../judge/row.ts';
import { count } from '../document/fields.ts';
import { bound } from './bound.ts';

/**
 * Evidence that a fault took effect, where requests do not show it. A fault without effect would let any
 * system pass.
 */
function atLeast(id: string, claim: string, least: number, measured: number): Row {
  return { id, claim, bound: `≥ ${least}`, measured: String(measured), ok: measured >= least };
}

/** Proxies asked a name server and got no answer. */
export const lookupsFailedBound = bound(
  count(1, 1_000_000).meta({
    description:
      'The least number of DNS lookups that must fail at callers and ingress gateways while the load runs.',
  }),
  (m, least) => [
    atLeast('lookups-failed', 'DNS lookups by proxies that got no answer', least, m.lookupsFailed),
  ],
);

/** Control planes failed to write to their disk. */
export const writesFailedBound = bound(
  count(1, 1_000_000).meta({
    description: 'The least number of failed writes of registrations or state that control planes must log.',
  }),
  (m, least) => [
    atLeast('writes-failed', 'Failed writes to disk, as logged by control planes', least, m.writesFailed),
  ],
);
