import type { ListenAddress } from './values/listen-address.ts';

/** What is said on a new connection, so that whoever lives answers. */
export type Word =
  /** The client's connection preface of HTTP/2, which the server's follows (RFC 9113, 3.4). */
  | { readonly kind: 'http2' }
  /** A GET over HTTP/1.1. */
  | { readonly kind: 'get'; readonly host: string; readonly path: string };

/**
 * Something that a control plane looks at; without a word a connection that opens is all that is asked for.
 */
export interface Watched extends ListenAddress {
  readonly say?: Word;
}

/** What these looks found, by `addressName`. */
export interface Reach {
  /** What is not known to work: it accepts no connection, or is silent. */
  readonly unreached: ReadonlySet<string>;
  /** Of these, what accepts connections and says nothing: its kernel lives, and its process hangs. */
  readonly silent: ReadonlySet<string>;
}

/** Nothing was found. */
export const allReached: Reach = { unreached: new Set(), silent: new Set() };

/** How what is looked at is named. */
export function addressName({ address, port }: ListenAddress): string {
  return `${address} ${port}`;
}
