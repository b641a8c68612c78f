import type { HttpConnectionManager } from '../../../protos/gen/envoy.d.ts';
import { packAny } from '../message-parts.ts';

/** The access log part of a filter. */
type AccessLogs = Pick<HttpConnectionManager, 'access_log'>;

/** An access log of JSON lines with these fields; none without a file. */
export function jsonAccessLog(
  fields: Readonly<Record<string, string | Readonly<Record<string, string>>>>,
  file: string | undefined,
): AccessLogs {
  if (file === undefined) return {};
  const typed_config = packAny('envoy.extensions.access_loggers.file.v3.FileAccessLog', {
    path: file,
    log_format: { json_format: { time: '%START_TIME%', ...fields } },
  });
  return { access_log: [{ name: 'envoy.access_loggers.file', typed_config }] };
}
