import type { NodeScope } from '../../../src/model/node.ts';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';

/** Whom an attack is for, and for how long. */
export interface Target {
  readonly at: ListenAddress;
  /** A scope that the control plane takes; attacks that must be known say that they are it. */
  readonly scope: NodeScope & { readonly role: 'sidecar' };
  /** A flood goes on until this is aborted; others end by themselves. */
  readonly signal: AbortSignal;
}

/** Something that a client may do to a control plane, by malice or by mistake. */
export interface Attack {
  readonly name: string;
  /** The statuses it may end with, each: a call's or a connection's. */
  readonly endsWith: RegExp;
  /** What the control plane makes of it, where that is right to be still open when it is stopped. */
  readonly open?: string;
  /** Takes half a minute, as it waits for a deadline of the server's. */
  readonly isSlow?: boolean;
  /** Attacks; returns how each of its calls and connections ended. */
  run(target: Target): Promise<string[]>;
}

export const stillOpen = 'still open';

/** Whether one of its calls or connections ended as it may. */
export function isClear({ endsWith, open }: Attack, how: string): boolean {
  return how === stillOpen ? open !== undefined : endsWith.test(how);
}
