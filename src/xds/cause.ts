/** Why resources changed. Told apart by identity, never by its time: two at one time are two. */
export interface Cause {
  /** When it was read, in the server's clock (`Clock.now`), milliseconds. */
  readonly at: number;
}
