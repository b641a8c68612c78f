import { MeshError } from '../../base/error.ts';
import type { StreamInfo } from '../events.ts';

/** Each class that has a stream adds cost to every change. An Envoy is one node, of one class. */
export const peerClassesMax = 16;

/** Counts the node classes of each connection's streams. */
export class ClassesOfPeers {
  readonly #streams = new Map<string, Map<string, number>>();

  /** Counts a stream. Throws MeshError 'exhausted' at one class too many. */
  join({ peer, nodeClass }: Pick<StreamInfo, 'peer' | 'nodeClass'>): void {
    const classes = this.#streams.get(peer.address) ?? new Map<string, number>();
    if (!classes.has(nodeClass) && classes.size >= peerClassesMax)
      throw new MeshError(
        'exhausted',
        `nodes on this connection have more than ${peerClassesMax} classes: give each proxy a connection of its own`,
      );
    this.#streams.set(peer.address, classes);
    classes.set(nodeClass, (classes.get(nodeClass) ?? 0) + 1);
  }

  /** A stream is of another class from now on. The server's doing: no limit applies. */
  move({ peer, nodeClass }: Pick<StreamInfo, 'peer' | 'nodeClass'>, to: string): void {
    const classes = this.#streams.get(peer.address);
    classes?.set(to, (classes.get(to) ?? 0) + 1);
    this.leave({ peer, nodeClass });
  }

  /** Removes a stream from the count. */
  leave({ peer, nodeClass }: Pick<StreamInfo, 'peer' | 'nodeClass'>): void {
    const classes = this.#streams.get(peer.address);
    const left = (classes?.get(nodeClass) ?? 0) - 1;
    if (left > 0) classes?.set(nodeClass, left);
    else classes?.delete(nodeClass);
    if (classes?.size === 0) this.#streams.delete(peer.address);
  }
}
