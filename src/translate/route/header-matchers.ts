import type { envoy } from '../../../protos/gen/envoy.d.ts';

export type HeaderMatcher = envoy.config.route.v3.HeaderMatcher;

/** Matches gRPC and gRPC-Web, in requests and in responses. */
export const isGrpcContent: HeaderMatcher = {
  name: 'content-type',
  string_match: { prefix: 'application/grpc' },
};
