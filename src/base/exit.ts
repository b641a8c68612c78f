/** Exit codes, the same for every command; scripts may rely on them. */
export const exitCode = {
  ok: 0,
  /** The requested operation ran, and failed: invalid objects, a bound not met. */
  failed: 1,
  /** It could not run: wrong usage, a missing tool, a port in use. */
  unusable: 2,
  /** It looked, and found that nobody serves (`who`, `explain`). */
  unserved: 3,
  /** Interrupted by Ctrl-C or SIGTERM. */
  interrupted: 130,
  /** Nobody reads its standard output any more, as after `| head -1`: 128 + SIGPIPE. */
  readerGone: 141,
} as const;
