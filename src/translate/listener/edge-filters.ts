import { outcomeHeader, ownHeaders } from '../../model/trail.ts';
import { packAny } from '../message-parts.ts';
import { headerPrefix } from '../names.ts';
import type { HttpFilter } from './http-filter.ts';

/** The metadata namespace of Isthmus's filters. */
export const metadataNamespace = 'isthmus';

/** The outcome for access logs of the edge: by then the header is removed. */
export const outcomeInMetadata = `%DYNAMIC_METADATA(${metadataNamespace}:outcome)%`;

/**
 * Hides Isthmus's headers from clients: all with its prefix or, if the outcome is exposed, the others.
 * Responses pass filters in reverse order, so the outcome is first saved for the access log. Filters, since
 * Envoy applies `response_headers_to_remove` of routes before local replies are rewritten.
 */
export function edgeFilters(exposeOutcome: boolean): readonly HttpFilter[] {
  const hidden = ownHeaders.filter((header) => header !== outcomeHeader);
  return [
    {
      name: 'isthmus.hide_headers',
      typed_config: packAny('envoy.extensions.filters.http.header_mutation.v3.HeaderMutation', {
        mutations: {
          response_mutations: exposeOutcome
            ? hidden.map((header) => ({ remove: header }))
            : [{ remove_on_match: { key_matcher: { prefix: headerPrefix, ignore_case: true } } }],
        },
      }),
    },
    {
      name: 'isthmus.keep_outcome',
      typed_config: packAny('envoy.extensions.filters.http.header_to_metadata.v3.Config', {
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
