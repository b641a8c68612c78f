import type { envoy, xds } from '../../../protos/gen/envoy.d.ts';
import { sharedMessage } from '../../base/shared-message.ts';
import { egressPrefix, nobodyHeader, outcomeHeader, unsentHeader } from '../../model/trail.ts';
import { packAny, setHeader } from '../message-parts.ts';
import { metadataNamespace } from './edge-filters.ts';
import type { HttpFilter } from './http-filter.ts';

type StringMatcher = envoy.type.matcher.v3.StringMatcher;
type HeaderMutation = envoy.config.common.mutation_rules.v3.HeaderMutation;
type LbEndpoint = envoy.config.endpoint.v3.LbEndpoint;
type Predicate = NonNullable<xds.type.matcher.v3.Matcher.MatcherList.FieldMatcher['predicate']>;

/** The value of `unsentHeader`. */
const unsent = 'true';

/** Key of an endpoint's metadata: the prefix of its value of the header on hosts in other IDCs. */
const via = 'via';

/** Marks an endpoint that is a proxy of the mesh, which alone may set the marks. */
export const proxyMetadata: Pick<LbEndpoint, 'metadata'> = filterMetadata({ [unsent]: unsent });

/** The same for a local egress gateway, with its prefix. */
export const egressMetadata: Pick<LbEndpoint, 'metadata'> = filterMetadata({
  [unsent]: unsent,
  [via]: egressPrefix,
});

function filterMetadata(filter: Readonly<Record<string, string>>): Pick<LbEndpoint, 'metadata'> {
  return sharedMessage({ metadata: { filter_metadata: { [metadataNamespace]: filter } } });
}

/**
 * Upstream filters, which see each try. They remove marks of proxies (request not executed) and the outcome
 * (no application answered) from answers of endpoints without a proxy: such an instance has had the request,
 * whatever it answers (docs/decisions/092-whose-marks-count.md). And they prefix the header on hosts in other
 * IDCs with its source: `egress-`, or `-` for all that cannot know. One filter for both headers: a filter
 * costs each answer, even one that it skips, three hundredths of a gateway's time.
 */
export const proxyMarkFilters: readonly HttpFilter[] = [
  replaced([unsentHeader, outcomeHeader], [...ofProxyAlone(unsentHeader), ...ofProxyAlone(outcomeHeader)]),
  replaced(
    [nobodyHeader],
    [set(nobodyHeader, `%UPSTREAM_METADATA(${metadataNamespace}:${via})%-%RESP(${nobodyHeader})%`)],
  ),
];

/**
 * Keeps a header only from an endpoint that is a proxy (CEL, Envoy's attributes; a built-in formatter since
 * 1.34).
 */
function ofProxyAlone(header: string): HeaderMutation[] {
  const kept = `${header}-kept`;
  const ofProxy = `'${metadataNamespace}' in xds.upstream_host_metadata.filter_metadata && '${header}' in response.headers`;
  return [
    { remove: kept },
    // An empty value adds nothing.
    set(kept, `%CEL(${ofProxy} ? response.headers['${header}'] : '')%`),
    { remove: header },
    set(header, `%RESP(${kept})%`),
    { remove: kept },
  ];
}

/** The codec filter, last of the upstream filters. */
export const upstreamCodec: HttpFilter = {
  name: 'envoy.filters.http.upstream_codec',
  typed_config: packAny('envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec', {}),
};

function set(key: string, value: string): HeaderMutation {
  return { append: setHeader(key, value) };
}

/** Mutations applied to answers that have one of the headers. */
function replaced(headers: readonly string[], mutations: readonly HeaderMutation[]): HttpFilter {
  const present = headers.map((header) => hasHeader(header, { safe_regex: { google_re2: {}, regex: '.*' } }));
  return onResponseMatch(present, {
    name: `isthmus.believe.${headers.join('.')}`,
    typed_config: packAny('envoy.extensions.filters.http.header_mutation.v3.HeaderMutation', {
      mutations: { response_mutations: [...mutations] },
    }),
  });
}

/** The filter, applied to tries whose answer has this header with such a value. */
export function onResponseHeader(header: string, value: StringMatcher, filter: HttpFilter): HttpFilter {
  return onResponseMatch([hasHeader(header, value)], filter);
}

function hasHeader(header: string, value: StringMatcher): Predicate {
  const input = {
    name: header,
    typed_config: packAny('envoy.type.matcher.v3.HttpResponseHeaderMatchInput', { header_name: header }),
  };
  return { single_predicate: { input, value_match: value } };
}

/** The filter, applied to tries whose answer matches. */
function onResponseMatch(predicates: readonly Predicate[], filter: HttpFilter): HttpFilter {
  const [first, ...others] = predicates;
  const anyOf = others.length === 0 ? first : { or_matcher: { predicate: [...predicates] } };
  return onMatch(anyOf as Predicate, filter);
}

/** The filter, skipped where the predicate does not match. */
export function onMatch(predicate: Predicate, filter: HttpFilter): HttpFilter {
  return {
    name: filter.name,
    typed_config: packAny('envoy.extensions.common.matching.v3.ExtensionWithMatcher', {
      xds_matcher: {
        matcher_list: {
          matchers: [
            {
              predicate: { not_matcher: predicate },
              on_match: {
                action: {
                  name: 'skip',
                  typed_config: packAny('envoy.extensions.filters.common.matcher.action.v3.SkipFilter', {}),
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
