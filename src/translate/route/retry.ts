import { LRUCache } from 'lru-cache';
import type { envoy } from '../../../protos/gen/envoy.d.ts';
import { sharedMessage } from '../../base/shared-message.ts';
import {
  egressPrefix,
  nobodyFree,
  nobodyHeader,
  nobodyReached,
  nobodyThere,
  noWayOut,
  unsentHeader,
} from '../../model/trail.ts';
import type { RetryCondition, RetryRule } from '../../plan/types.ts';
import { packAny, protoDuration } from '../message-parts.ts';

type RouteAction = envoy.config.route.v3.RouteAction;
type RetryPolicy = envoy.config.route.v3.RetryPolicy;

const retryOn: Readonly<Record<RetryCondition, string>> = {
  unsent: 'connect-failure,refused-stream,reset-before-request',
  'told-unsent': 'retriable-headers',
  'told-nobody': 'retriable-headers',
  reset: 'reset',
  'gateway-error': 'gateway-error',
};

/** A later proxy's mark that its try never reached an instance (`local-replies.ts`). */
const unsentMark: envoy.config.route.v3.HeaderMatcher = {
  name: unsentHeader,
  string_match: { exact: 'true' },
};

/**
 * An IDC's marks that it did not serve a request, and that no others were tried: it did not hand it on, or
 * its egress reached none of them. Exact values, not one regular expression: Envoy compiles one for each
 * route (docs/decisions/180-what-a-gateway-of-many-groups-costs.md).
 */
const nobodyMarks: readonly envoy.config.route.v3.HeaderMatcher[] = [
  nobodyThere,
  nobodyFree,
  nobodyReached,
  `${egressPrefix}-${noWayOut}`,
].map((exact) => ({ name: nobodyHeader, string_match: { exact } }));

/**
 * How often Envoy picks again if it picks a host that was tried. It compares two random hosts by active
 * requests, and a dead one has none: of two hosts it picks the dead one three times in four; 16 picks failed
 * 1 retry in 100.
 */
const selectionsMax = 64;

/**
 * Built policies by content: few rules, used by every virtual host; a shared object is encoded once. The
 * limit bounds memory only.
 */
const built = new LRUCache<string, RouteAction>({ max: 1_024 });

/**
 * A rule as a part of a RouteAction. Equal rules return the same object, encoded once. `movesOn`: another
 * priority exists.
 */
export function buildRetry(rule: RetryRule, movesOn: boolean): RouteAction {
  const key = JSON.stringify([rule, movesOn]);
  const known = built.get(key);
  if (known !== undefined) return known;
  const action = buildRetryAction(rule, movesOn);
  built.set(key, action);
  return action;
}

function buildRetryAction(rule: RetryRule, movesOn: boolean): RouteAction {
  if (rule.retries === 0) return {};
  const marks = [
    ...(rule.on.includes('told-unsent') ? [unsentMark] : []),
    ...(rule.on.includes('told-nobody') ? nobodyMarks : []),
  ];
  const policy: RetryPolicy = {
    retry_on: rule.on.map((condition) => retryOn[condition]).join(','),
    ...(marks.length === 0 ? {} : { retriable_headers: marks }),
    num_retries: rule.retries,
    // Long enough for a gateway that has just died to be ejected: the last try must not meet it again
    // (docs/decisions/002-egress-ejects-the-unreachable.md).
    retry_back_off: { base_interval: protoDuration(rule.pauseMs ?? 10), max_interval: '0.100s' },
    // Another host for each try, and another priority after its share of tries. Envoy finds extensions by
    // their type; names only have to be there, and go to each sidecar three times for each of its hosts.
    retry_host_predicate: [
      {
        name: 'hosts',
        typed_config: packAny('envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate', {}),
      },
    ],
    host_selection_retry_max_attempts: String(selectionsMax),
    ...(movesOn ? { retry_priority: nextPriority(rule.triesPerPriority) } : {}),
    ...(rule.perTryMs > 0 ? { per_try_timeout: protoDuration(rule.perTryMs) } : {}),
  };
  return {
    retry_policy: sharedMessage(policy),
    // A slow answer is still accepted: the next try runs beside it.
    ...(rule.hedged ? { hedge_policy: { hedge_on_per_try_timeout: true } } : {}),
  };
}

function nextPriority(triesPerPriority: number): envoy.config.route.v3.RetryPolicy.RetryPriority {
  return {
    name: 'priorities',
    typed_config: packAny('envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig', {
      update_frequency: triesPerPriority,
    }),
  };
}
