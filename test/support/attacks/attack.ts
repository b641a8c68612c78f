import type { ListenAddress, NodeScope } from '../../../src/model/node.ts';

/** Whom an attack is for, and for how long. */
export interface Target {
  readonly at: ListenAddress;
  /** A scope that the control plane takes; attacks that must be known say that they are it. */
  readonly scope: NodeScope & { readonly role: 'sidecar' };
  /** An attack goes on until this is aborted. */
  readonly signal: AbortSignal;
}

/** Something that a client may do to a control plane, by malice or by mistake. */
export interface Attack {
  readonly name: string;
  /** The statuses it may end with, each: a call's or a connection's, or `still open` where it is only slowed down. */
  readonly endsWith: RegExp;
  /** Attacks until the signal; returns how each of its calls and connections ended. */
  run(target: Target): Promise<string[]>;
}
