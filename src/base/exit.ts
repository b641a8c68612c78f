/** Exit codes, the same for every command; scripts may rely on them. */
export const exitCode = {
  ok: 0,
  /** The thing that was asked for ran, and failed: invalid objects, a missed bound. */
  failed: 1,
  /** It could not run: wrong usage, a missing tool, a port in use. */
  unusable: 2,
  /** Ended by Ctrl-C or SIGTERM before it was done. */
  interrupted: 130,
  /** Nobody reads its standard output any more, as after `| head -1`: 128 + SIGPIPE. */
  readerGone: 141,
} as const;
