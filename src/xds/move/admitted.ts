import type { Node, Peer } from '../events.ts';
import type { Session } from '../stream/session.ts';

/** As `XdsServerOptions.admits`. */
export type Admits = (node: Node, peer: Peer, nodeClass: string) => void;

/** The result of `move`. */
export interface Moved {
  /** The state after the move; see `unconfirmed`. */
  readonly revision: number;
  /** Streams that change their class. */
  readonly streams: number;
  /** Ids of those that `admits` refused; absent: none. */
  readonly refused?: readonly number[];
}

/** Of some streams, those that may be moved to a class; `more`: of the others the ids, if there are any. */
export function admittedTo(
  named: readonly Session[],
  nodeClass: string,
  admits: Admits | undefined,
): { readonly moving: readonly Session[]; readonly more: { readonly refused?: readonly number[] } } {
  if (admits === undefined) return { moving: named, more: {} };
  const refused: number[] = [];
  const moving = named.filter(({ info: { id, node, peer } }) => {
    try {
      admits(node, peer, nodeClass);
      return true;
    } catch {
      refused.push(id);
      return false;
    }
  });
  return { moving, more: refused.length === 0 ? {} : { refused } };
}
