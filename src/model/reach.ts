import type { ListenAddress } from './values/listen-address.ts';

/** The request sent on a new connection, which a live peer answers. */
export type ProbeRequest =
  /** The client connection preface of HTTP/2, answered by the server's (RFC 9113, 3.4). */
  | { readonly kind: 'http2' }
  /** A GET over HTTP/1.1. */
  | { readonly kind: 'get'; readonly host: string; readonly path: string };

/** A target of probes; without a request, an open connection is enough. */
export interface ProbeTarget extends ListenAddress {
  readonly request?: ProbeRequest;
}

/** Results of probes, by `addressName`. */
export interface Reach {
  /** Targets that refuse connections, or are silent. */
  readonly unreached: ReadonlySet<string>;
  /** Of these, those that accept connections and never answer: the kernel lives, and the process hangs. */
  readonly silent: ReadonlySet<string>;
}

/** No failures. */
export const allReached: Reach = { unreached: new Set(), silent: new Set() };

/** The key of a target. */
export function addressName({ address, port }: ListenAddress): string {
  return `${address} ${port}`;
}
