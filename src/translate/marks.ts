import type { envoy } from '../../protos/gen/envoy.d.ts';
import { nobodyFree, nobodyHeader, nobodyThere, unsentHeader } from '../model/trail.ts';
import { any } from './any.ts';
import { metadataNamespace } from './edge.ts';
import type { HttpFilter } from './http-filter.ts';

type StringMatcher = envoy.type.matcher.v3.StringMatcher;
type LbEndpoint = envoy.config.endpoint.v3.LbEndpoint;

/** The marks that proxies put on answers, each with its value. */
const marks = [
  [unsentHeader, 'true'],
  [nobodyHeader, nobodyThere],
  [nobodyHeader, nobodyFree],
] as const;

/** Says of an endpoint that a proxy of the mesh stands there: all values of marks that it may give, by themselves. */
export const isProxy: Pick<LbEndpoint, 'metadata'> = Object.freeze({
  metadata: {
    filter_metadata: { [metadataNamespace]: Object.fromEntries(marks.map(([, value]) => [value, value])) },
  },
});

/**
 * Filters that see each try. They take the marks by which proxies say that nobody had a request off answers of everybody
 * else: an instance that is reached without a sidecar has had it, whatever it answers (docs/decisions/092-whose-marks-count.md).
 */
export const believeProxies: readonly HttpFilter[] = marks.map(([header, value]) => believe(header, value));

/** The codec, which must be the last of the filters that see each try. */
export const upstreamCodec: HttpFilter = {
  name: 'envoy.filters.http.upstream_codec',
  typed_config: any('envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec', {}),
};

/** Where an answer has the mark, its value becomes what stands at the endpoint, which is nothing but for proxies. */
function believe(header: string, value: string): HttpFilter {
  return whereAnswered(
    header,
    { exact: value },
    {
      name: `isthmus.believe.${header}.${value}`,
      typed_config: any('envoy.extensions.filters.http.header_mutation.v3.HeaderMutation', {
        mutations: {
          response_mutations: [
            { remove: header },
            {
              append: {
                header: { key: header, value: `%UPSTREAM_METADATA(${metadataNamespace}:${value})%` },
                append_action: 'OVERWRITE_IF_EXISTS_OR_ADD',
              },
            },
          ],
        },
      }),
    },
  );
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
