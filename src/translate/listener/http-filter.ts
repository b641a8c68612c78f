import type { envoy } from '../../../protos/gen/envoy.d.ts';

/** A filter of an HTTP connection manager. */
export type HttpFilter = envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter;
