import type { envoy, TypedExtensionConfig } from '../../../protos/gen/envoy.d.ts';
import type { GuardedListener } from '../../model/trail.ts';
import { adsSource, packAny } from '../message-parts.ts';

type HttpFilter = envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter;

/** A compiled filter as it is pushed. */
export interface FilterModule {
  readonly bytes: Uint8Array;
  readonly hash: string;
}

/** The ECDS resource (and HTTP filter) of a guarded listener. */
export function filterName(listener: GuardedListener): string {
  return `isthmus.trail.${listener}`;
}

/**
 * The trail filter's place in a listener. Its configuration comes by ECDS, and the listener does not listen
 * before: a refused connection goes to another gateway, while a 403 would end the request. If Envoy ever
 * continued without it, the default denies all: a gateway must not forward unguarded.
 */
export function guardFilter(listener: GuardedListener): HttpFilter {
  return {
    name: filterName(listener),
    config_discovery: {
      config_source: adsSource(),
      default_config: packAny('envoy.extensions.filters.http.rbac.v3.RBAC', {
        rules: { action: 'ALLOW', policies: {} },
      }),
      type_urls: [
        'type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm',
        'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC',
      ],
    },
  };
}

/** The compiled filter as an ECDS resource, with the module inline. */
export function buildFilter(listener: GuardedListener, module: FilterModule): TypedExtensionConfig {
  return {
    name: filterName(listener),
    typed_config: packAny('envoy.extensions.filters.http.wasm.v3.Wasm', {
      config: {
        name: filterName(listener),
        root_id: filterName(listener),
        // A trap answers 503 for about a second, then starts a new VM (FAIL_CLOSED would be 503 for good).
        failure_policy: 'FAIL_RELOAD',
        reload_config: { backoff: { base_interval: '1s' } },
        vm_config: {
          // One VM per module: equal modules share it.
          vm_id: module.hash,
          runtime: 'envoy.wasm.runtime.v8',
          code: { local: { inline_bytes: module.bytes } },
        },
      },
    }),
  };
}
