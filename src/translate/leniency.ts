import type { envoy, HttpConnectionManager } from '../../protos/gen/envoy.d.ts';
import { type EdgePolicy, type EscapedSlashes, edgeDefaults, type Underscores } from '../model/idc.ts';
import { ignoredUpgrades } from './upgrades.ts';

type Http1Options = envoy.config.core.v3.Http1ProtocolOptions;
type Http2Options = envoy.config.core.v3.Http2ProtocolOptions;
type CommonOptions = envoy.config.core.v3.HttpProtocolOptions;

/**
 * Options by which proxies are transparent, as if the server were asked directly; docs/http.md lists the
 * rest. Equal at every proxy, or the next refuses what one accepts.
 */
const transparent: Partial<HttpConnectionManager> = {
  // A name with the root's dot is the same name (RFC 1034, 3.1).
  strip_trailing_host_dot: true,
  // The application's header, or none.
  server_header_transformation: 'PASS_THROUGH',
  // 100 comes from the final server, and 103 passes (RFC 9110, 10.1.1; RFC 8297).
  proxy_100_continue: true,
  // `:scheme` is that of the next hop, as some servers refuse another. X-Forwarded-Proto is the client's.
  scheme_header_transformation: { match_upstream: true },
  preserve_external_request_id: true,
};

const http1: Http1Options = {
  enable_trailers: true,
  allow_custom_methods: true,
  ignore_http_11_upgrade: ignoredUpgrades,
};

const http2: Http2Options = {
  allow_connect: true,
  // A malformed message ends its stream, not the connection.
  override_stream_error_on_invalid_http_message: true,
};

/** Header limits inside the mesh: twice the edge's maximum, as earlier proxies add some. */
const inside = { headersKiB: 512, headers: 1_000 } as const;

/** Envoy's range for the size of one HTTP/2 header. */
const fieldKiB = { min: 64, max: 256 } as const;

/** HTTP options of listeners inside the mesh. */
export const insideHttp: Partial<HttpConnectionManager> = {
  ...transparent,
  max_request_headers_kb: inside.headersKiB,
  common_http_protocol_options: { max_headers_count: inside.headers },
  http_protocol_options: { ...http1, accept_http_10: true },
  http2_protocol_options: { ...http2, max_header_field_size_kb: fieldKiB.max },
};

/** HTTP options towards a workload: those of an edge without declarations. */
export const workloadHttp: Partial<HttpConnectionManager> = {
  ...insideHttp,
  max_request_headers_kb: edgeDefaults.maxHeadersKiB,
  common_http_protocol_options: { max_headers_count: edgeDefaults.maxHeaders },
  http2_protocol_options: http2,
};

/** HTTP options of upstream answers. */
export const upstreamCommon: CommonOptions = {
  max_headers_count: inside.headers,
  max_response_headers_kb: inside.headersKiB,
};
export const upstreamHttp1: Http1Options = { enable_trailers: true };
export const upstreamHttp2: Http2Options = {
  allow_connect: true,
  override_stream_error_on_invalid_http_message: true,
  max_header_field_size_kb: fieldKiB.max,
};

const slashes: Readonly<Record<EscapedSlashes, HttpConnectionManager['path_with_escaped_slashes_action']>> = {
  keep: 'KEEP_UNCHANGED',
  reject: 'REJECT_REQUEST',
  unescape: 'UNESCAPE_AND_FORWARD',
  redirect: 'UNESCAPE_AND_REDIRECT',
};

const underscores: Readonly<Record<Underscores, CommonOptions['headers_with_underscores_action']>> = {
  allow: 'ALLOW',
  reject: 'REJECT_REQUEST',
  drop: 'DROP_HEADER',
};

/**
 * HTTP options of the edge: Envoy's "Configuring Envoy as an edge proxy", without the parts that refuse or
 * change valid requests, which an Idc has to enable (docs/decisions/072-what-the-edge-passes.md).
 */
export function edgeHttp(policy: EdgePolicy): Partial<HttpConnectionManager> {
  const edge = { ...edgeDefaults, ...policy };
  return {
    ...transparent,
    normalize_path: edge.normalizePath,
    merge_slashes: edge.mergeSlashes,
    path_with_escaped_slashes_action: slashes[edge.escapedSlashes],
    max_request_headers_kb: edge.maxHeadersKiB,
    common_http_protocol_options: {
      idle_timeout: '3600s',
      headers_with_underscores_action: underscores[edge.underscores],
      max_headers_count: edge.maxHeaders,
    },
    http_protocol_options: { ...http1, accept_http_10: edge.http10 },
    http2_protocol_options: {
      ...http2,
      ...(edge.maxHeadersKiB < fieldKiB.min ? {} : { max_header_field_size_kb: edge.maxHeadersKiB }),
      max_concurrent_streams: 100,
      initial_stream_window_size: 65_536,
      initial_connection_window_size: 1_048_576,
    },
  };
}
