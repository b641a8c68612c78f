import { LRUCache } from 'lru-cache';
import type { envoy } from '../../../protos/gen/envoy.d.ts';
import { sharedMessage } from '../../base/shared-message.ts';
import {
  egress,
  nobodyFree,
  nobodyHeader,
  nobodyReached,
  nobodyThere,
  noWayOut,
  unsentHeader,
} from '../../model/trail.ts';
import type { RetryCondition, RetryRule } from '../../plan/types.ts';
import { any, protoDuration } from '../any.ts';

type RouteAction = envoy.config.route.v3.RouteAction;
type RetryPolicy = envoy.config.route.v3.RetryPolicy;

const retryOn: Readonly<Record<RetryCondition, string>> = {
  unsent: 'connect-failure,refused-stream,reset-before-request',
  'told-unsent': 'retriable-headers',
  'told-nobody': 'retriable-headers',
  reset: 'reset',
  'gateway-error': 'gateway-error',
};

/** How a proxy further on says that its try never reached an instance (`local-replies.ts`). */
const unsentMark: envoy.config.route.v3.HeaderMatcher = {
  name: unsentHeader,
  string_match: { exact: 'true' },
};

/**
 * How an IDC says that it did not serve a request, and that others were not asked for it: it has handed it on
 * to nobody, or its egress could reach none of them.
 */
const nobodyMark: envoy.config.route.v3.HeaderMatcher = {
  name: nobodyHeader,
  string_match: {
    safe_regex: { regex: [nobodyThere, nobodyFree, nobodyReached, `${egress}-${noWayOut}`].join('|') },
  },
};

/**
 * How often Envoy picks again when it picks a host that was tried. It compares two random ones by their
 * requests under way, and a dead one has none: of two hosts it is the dead one three times in four, so that
 * 16 picks were not enough for 1 retry in 100.
 */
const selectionsMax = 64;

/**
 * What was built, by content: there are few rules, and every virtual host has some; what is shared is encoded
 * once. A limit on memory only: what was dropped is built again.
 */
const built = new LRUCache<string, RouteAction>({ max: 1_024 });

/**
 * A rule as a part of a RouteAction. Equal rules give the same object, whose bytes are made once. `movesOn`:
 * there is another priority to go to.
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
    ...(rule.on.includes('told-nobody') ? [nobodyMark] : []),
  ];
  const policy: RetryPolicy = {
    retry_on: rule.on.map((condition) => retryOn[condition]).join(','),
    ...(marks.length === 0 ? {} : { retriable_headers: marks }),
    num_retries: rule.retries,
    // Long enough for a gateway that has just died to be ejected meanwhile: a request that met dying ones on
    // its way must not meet the dead one again with its last try
    // (docs/decisions/002-egress-ejects-the-unreachable.md).
    retry_back_off: { base_interval: protoDuration(rule.pauseMs ?? 10), max_interval: '0.100s' },
    // Another host for each try, and another priority once this one has had its tries.
    retry_host_predicate: [
      {
        name: 'envoy.retry_host_predicates.previous_hosts',
        typed_config: any('envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate', {}),
      },
    ],
    host_selection_retry_max_attempts: String(selectionsMax),
    ...(movesOn ? { retry_priority: nextPriority(rule.triesPerPriority) } : {}),
    ...(rule.perTryMs > 0 ? { per_try_timeout: protoDuration(rule.perTryMs) } : {}),
  };
  return {
    retry_policy: sharedMessage(policy),
    // A slow answer stays welcome: the next try runs beside the one that outlasted its time.
    ...(rule.hedged ? { hedge_policy: { hedge_on_per_try_timeout: true } } : {}),
  };
}

function nextPriority(triesPerPriority: number): envoy.config.route.v3.RetryPolicy.RetryPriority {
  return {
    name: 'envoy.retry_priorities.previous_priorities',
    typed_config: any('envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig', {
      update_frequency: triesPerPriority,
    }),
  };
}
