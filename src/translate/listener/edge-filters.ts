import { outcomeHeader, ownHeaders } from '../../model/trail.ts';
import { any } from '../any.ts';
import { headerPrefix } from '../names.ts';
import type { HttpFilter } from './http-filter.ts';

/** Namespace of the metadata that Isthmus's own filters keep about a request. */
export const metadataNamespace = 'isthmus';

/** The outcome as access logs of the edge read it: by then the header is gone. */
export const outcomeInMetadata = `%DYNAMIC_METADATA(${metadataNamespace}:outcome)%`;

/**
 * Keeps Isthmus's own headers from clients: all that begin with its prefix, or, where the outcome is to be
 * seen, the others. Responses pass filters in reverse, so the outcome is first kept for the access log. These
 * are filters, and not `response_headers_to_remove` of the routes, which Envoy applies before it words its
 * own answers.
 */
export function edgeFilters(exposeOutcome: boolean): readonly HttpFilter[] {
  const hidden = ownHeaders.filter((header) => header !== outcomeHeader);
  return [
    {
      name: 'isthmus.hide_headers',
      typed_config: any('envoy.extensions.filters.http.header_mutation.v3.HeaderMutation', {
        mutations: {
          response_mutations: exposeOutcome
            ? hidden.map((header) => ({ remove: header }))
            : [{ remove_on_match: { key_matcher: { prefix: headerPrefix, ignore_case: true } } }],
        },
      }),
    },
    {
      name: 'isthmus.keep_outcome',
      typed_config: any('envoy.extensions.filters.http.header_to_metadata.v3.Config', {
        response_rules: [
          {
            header: outcomeHeader,
            on_header_present: { metadata_namespace: metadataNamespace, key: 'outcome' },
          },
        ],
      }),
    },
  ];
}
