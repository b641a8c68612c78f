// Not run: checked by `tsc`. What must not compile is marked; tsc fails when it does.
import type { Any, Cluster, envoy, Listener } from '../../../protos/gen/envoy.d.ts';

const policy: envoy.config.cluster.v3.Cluster.LbPolicy = 'LEAST_REQUEST';

export const right: readonly [Cluster, ...Any[]] = [
  {
    name: 'a',
    type: 'EDS',
    connect_timeout: '0.25s',
    lb_policy: policy,
    per_connection_buffer_limit_bytes: 32_768,
    common_lb_config: { healthy_panic_threshold: { value: 0 }, update_merge_window: '0s' },
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
  },
  { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router', dynamic_stats: true },
  { '@type': 'type.googleapis.com/google.protobuf.StringValue', value: 'x' },
  {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm',
    config: { failure_policy: 'FAIL_RELOAD', reload_config: { backoff: { base_interval: '1s' } } },
  },
];

const router = 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router';
const wasm = 'type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm';
const manager =
  'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';

// @ts-expect-error a field that Router has not
export const wrongField: Any = { '@type': router, dynamic_statz: true };
// @ts-expect-error a type that nobody defined
export const wrongType: Any = { '@type': 'type.googleapis.com/envoy.Routerr' };
// @ts-expect-error a duration without its unit
export const wrongDuration: Cluster = { connect_timeout: '0.25' };
// @ts-expect-error a policy that the enum has not
export const wrongEnum: Any = { '@type': wasm, config: { failure_policy: 'FAIL_SOMEHOW' } };
export const wrongDeep: Listener = {
  // @ts-expect-error a wrong field inside a filter's Any
  filter_chains: [{ filters: [{ typed_config: { '@type': manager, stat_prefixx: 'a' } }] }],
};
