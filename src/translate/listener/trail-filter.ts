import type { envoy, TypedExtensionConfig } from '../../../protos/gen/envoy.d.ts';
import type { GuardedListener } from '../../model/trail.ts';
import { adsSource, any } from '../any.ts';

type HttpFilter = envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter;

/** A compiled filter, as far as it is pushed. */
export interface FilterModule {
  readonly bytes: Uint8Array;
  readonly hash: string;
}

/** The ECDS resource (and HTTP filter) that guards a listener. */
export function filterName(listener: GuardedListener): string {
  return `isthmus.trail.${listener}`;
}

/**
 * Where the trail filter stands in a listener. Its configuration comes by ECDS; until it does, the listener
 * does not listen: whoever asks is refused the connection and goes to another gateway, where an answer of 403
 * would have ended the request. Should Envoy ever go on without it, everything is denied: a gateway without
 * its guard must not forward.
 */
export function guardFilter(listener: GuardedListener): HttpFilter {
  return {
    name: filterName(listener),
    config_discovery: {
      config_source: adsSource(),
      default_config: any('envoy.extensions.filters.http.rbac.v3.RBAC', {
        rules: { action: 'ALLOW', policies: {} },
      }),
      type_urls: [
        'type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm',
        'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC',
      ],
    },
  };
}

/** The compiled filter as an ECDS resource: the module's bytes inline, nothing to fetch. */
export function buildFilter(listener: GuardedListener, module: FilterModule): TypedExtensionConfig {
  return {
    name: filterName(listener),
    typed_config: any('envoy.extensions.filters.http.wasm.v3.Wasm', {
      config: {
        name: filterName(listener),
        root_id: filterName(listener),
        // A trap ends in 503 for about a second, then a new VM (FAIL_CLOSED would be 503 for good).
        failure_policy: 'FAIL_RELOAD',
        reload_config: { backoff: { base_interval: '1s' } },
        vm_config: {
          // One VM per module: equal modules share it, a new module gets a new one.
          vm_id: module.hash,
          runtime: 'envoy.wasm.runtime.v8',
          code: { local: { inline_bytes: module.bytes } },
        },
      },
    }),
  };
}
