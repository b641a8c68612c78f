import type { AnyTypes, envoy } from '../../protos/gen/envoy.d.ts';

/** Packs a message: `packAny('envoy.….Router', {…})` is the '@type' form of Envoy's YAML. */
export function packAny<N extends string & keyof Named>(name: N, message: Named[N]): Packed<N> {
  return { '@type': `type.googleapis.com/${name}`, ...message } as Packed<N>;
}

/** The full names of messages that can be packed. */
type Named = { [K in keyof AnyTypes as K extends `type.googleapis.com/${infer N}` ? N : never]: AnyTypes[K] };

type Packed<N extends string & keyof Named> = { '@type': `type.googleapis.com/${N}` } & Named[N];

/** Milliseconds as proto3 JSON writes a google.protobuf.Duration: whole nanoseconds, no exponent. */
export function protoDuration(ms: number): `${number}s` {
  return `${(ms / 1000).toFixed(9).replace(/\.?0+$/, '') as `${number}`}s`;
}

/** The stream that a proxy has anyway, waited for without an end: a fresh one each time. */
export function adsSource() {
  return { resource_api_version: 'V3', ads: {}, initial_fetch_timeout: '0s' } as const;
}

/** A header that replaces those of its name. */
export function setHeader(key: string, value: string): envoy.config.core.v3.HeaderValueOption {
  return { header: { key, value }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' };
}
