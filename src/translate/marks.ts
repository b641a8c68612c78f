import type { envoy } from '../../protos/gen/envoy.d.ts';
import { egress, nobodyHeader, outcomeHeader, unsentHeader } from '../model/trail.ts';
import { any } from './any.ts';
import { metadataNamespace } from './edge.ts';
import type { HttpFilter } from './http-filter.ts';

type StringMatcher = envoy.type.matcher.v3.StringMatcher;
type HeaderMutation = envoy.config.common.mutation_rules.v3.HeaderMutation;
type LbEndpoint = envoy.config.endpoint.v3.LbEndpoint;

/** The value of `unsentHeader`. */
const unsent = 'true';

/** Key of an endpoint's metadata: what stands before the endpoint's word on who is there. */
const via = 'via';

/** Says of an endpoint that a proxy of the mesh stands there: the value of the mark that only proxies give. */
export const isProxy: Pick<LbEndpoint, 'metadata'> = proxy({ [unsent]: unsent });

/** The same of an own egress gateway, with what is put before its word on who is there. */
export const isEgress: Pick<LbEndpoint, 'metadata'> = proxy({ [unsent]: unsent, [via]: egress });

function proxy(filter: Readonly<Record<string, string>>): Pick<LbEndpoint, 'metadata'> {
  return Object.freeze({ metadata: { filter_metadata: { [metadataNamespace]: filter } } });
}

/** An answer's outcome where a proxy stands at the endpoint, else nothing (CEL, Envoy's attributes; a built-in formatter since 1.34). */
const outcomeOfProxy = `%CEL('${metadataNamespace}' in xds.upstream_host_metadata.filter_metadata ? response.headers['${outcomeHeader}'] : '')%`;
/** Where it stands for a moment. */
const outcomeKept = `${outcomeHeader}-kept`;

/**
 * Filters that see each try. They take the mark by which proxies say that nobody had a request off answers of everybody else: an
 * instance that is reached without a sidecar has had it, whatever it answers (docs/decisions/092-whose-marks-count.md). And they put
 * before a word on who is there whose it is: `egress-`, or `-` for all who cannot know. An outcome, which tells a caller that no
 * application answered, stays on answers of proxies alone.
 */
export const believeProxies: readonly HttpFilter[] = [
  replaced(unsentHeader, { exact: unsent }, [
    { remove: unsentHeader },
    set(unsentHeader, `%UPSTREAM_METADATA(${metadataNamespace}:${unsent})%`),
  ]),
  replaced(nobodyHeader, { safe_regex: { google_re2: {}, regex: '.+' } }, [
    set(nobodyHeader, `%UPSTREAM_METADATA(${metadataNamespace}:${via})%-%RESP(${nobodyHeader})%`),
  ]),
  replaced(outcomeHeader, { safe_regex: { google_re2: {}, regex: '.*' } }, [
    { remove: outcomeKept },
    // Nothing is added where it is empty.
    set(outcomeKept, outcomeOfProxy),
    { remove: outcomeHeader },
    set(outcomeHeader, `%RESP(${outcomeKept})%`),
    { remove: outcomeKept },
  ]),
];

/** The codec, which must be the last of the filters that see each try. */
export const upstreamCodec: HttpFilter = {
  name: 'envoy.filters.http.upstream_codec',
  typed_config: any('envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec', {}),
};

function set(key: string, value: string): HeaderMutation {
  return { append: { header: { key, value }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' } };
}

/** Where an answer has the mark, these change it. */
function replaced(header: string, mark: StringMatcher, mutations: readonly HeaderMutation[]): HttpFilter {
  return whereAnswered(header, mark, {
    name: `isthmus.believe.${header}`,
    typed_config: any('envoy.extensions.filters.http.header_mutation.v3.HeaderMutation', {
      mutations: { response_mutations: [...mutations] },
    }),
  });
}

/** The filter, for tries whose answer has this header with such a value; to look at the header costs next to nothing. */
export function whereAnswered(header: string, value: StringMatcher, filter: HttpFilter): HttpFilter {
  const input = {
    name: header,
    typed_config: any('envoy.type.matcher.v3.HttpResponseHeaderMatchInput', { header_name: header }),
  };
  return {
    name: filter.name,
    typed_config: any('envoy.extensions.common.matching.v3.ExtensionWithMatcher', {
      xds_matcher: {
        matcher_list: {
          matchers: [
            {
              predicate: { not_matcher: { single_predicate: { input, value_match: value } } },
              on_match: {
                action: {
                  name: 'skip',
                  typed_config: any('envoy.extensions.filters.common.matcher.action.v3.SkipFilter', {}),
                },
              },
            },
          ],
        },
      },
      extension_config: filter,
    }),
  };
}
