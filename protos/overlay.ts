import protobuf from 'protobufjs';

/**
 * Fields that the pinned Envoy has and the npm package's protos, which are a little older, have not. Numbers
 * are those of Envoy's own .proto files, named on each line. A field that arrives in the package must be
 * deleted here: gen fails on a duplicate.
 */
export function applyOverlay(root: protobuf.Root): void {
  // envoy/extensions/wasm/v3/wasm.proto
  const wasm = root.lookup('envoy.extensions.wasm.v3') as protobuf.Namespace;
  wasm.add(
    new protobuf.Enum('FailurePolicy', { UNSPECIFIED: 0, FAIL_RELOAD: 1, FAIL_CLOSED: 2, FAIL_OPEN: 3 }),
  );
  wasm.add(
    new protobuf.Type('ReloadConfig').add(
      new protobuf.Field('backoff', 1, 'envoy.config.core.v3.BackoffStrategy'),
    ),
  );
  root
    .lookupType('envoy.extensions.wasm.v3.PluginConfig')
    .add(new protobuf.Field('failure_policy', 7, 'envoy.extensions.wasm.v3.FailurePolicy'))
    .add(new protobuf.Field('reload_config', 8, 'envoy.extensions.wasm.v3.ReloadConfig'))
    .add(new protobuf.Field('allow_on_headers_stop_iteration', 9, 'google.protobuf.BoolValue'));

  // envoy/extensions/filters/http/lua/v3/lua.proto
  root
    .lookupType('envoy.extensions.filters.http.lua.v3.Lua')
    .add(new protobuf.Field('clear_route_cache', 5, 'google.protobuf.BoolValue'));

  // envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto
  root
    .lookupType('envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy')
    .add(new protobuf.Field('backoff_options', 18, 'envoy.config.core.v3.BackoffStrategy'));

  // envoy/config/route/v3/route_components.proto
  root
    .lookupType('envoy.config.route.v3.VirtualHost')
    .add(new protobuf.Field('request_body_buffer_limit', 25, 'google.protobuf.UInt64Value'));

  // envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver.proto
  root
    .lookupType('envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig')
    .add(new protobuf.Field('query_timeout_seconds', 6, 'google.protobuf.UInt64Value'))
    .add(new protobuf.Field('query_tries', 7, 'google.protobuf.UInt32Value'));

  // envoy/config/core/v3/protocol.proto
  root
    .lookupType('envoy.config.core.v3.HttpProtocolOptions')
    .add(new protobuf.Field('max_response_headers_kb', 7, 'google.protobuf.UInt32Value'));
  root
    .lookupType('envoy.config.core.v3.Http1ProtocolOptions')
    .add(new protobuf.Field('ignore_http_11_upgrade', 11, 'envoy.type.matcher.v3.StringMatcher', 'repeated'));
  root
    .lookupType('envoy.config.core.v3.Http2ProtocolOptions')
    .add(new protobuf.Field('max_header_field_size_kb', 19, 'google.protobuf.UInt32Value'));

  // envoy/config/common/mutation_rules/v3/mutation_rules.proto
  const mutation = root.lookupType('envoy.config.common.mutation_rules.v3.HeaderMutation');
  mutation.add(
    new protobuf.Type('RemoveOnMatch').add(
      new protobuf.Field('key_matcher', 1, 'envoy.type.matcher.v3.StringMatcher'),
    ),
  );
  const removeOnMatch = new protobuf.Field('remove_on_match', 3, 'RemoveOnMatch');
  (mutation.oneofs.action as protobuf.OneOf).add(removeOnMatch);

  // envoy/config/route/v3/route_components.proto
  root
    .lookupType('envoy.config.route.v3.RouteAction.RequestMirrorPolicy')
    .add(
      new protobuf.Field(
        'request_headers_mutations',
        7,
        'envoy.config.common.mutation_rules.v3.HeaderMutation',
        'repeated',
      ),
    );
}
