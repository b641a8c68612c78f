/** Why resources changed. Compared by identity, never by time: two causes may share a time. */
export interface Cause {
  /** When the event was read, in the server's clock (`Clock.now`), milliseconds. */
  readonly at: number;
}
