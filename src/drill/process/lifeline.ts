/**
 * Ends this process when its standard input closes: the drill that started it holds the other end, so a
 * drill that is gone, however it went, leaves no child behind. Also keeps the process alive until then.
 */
export function endWithParent(): void {
  process.stdin.on('end', () => process.exit(0));
  process.stdin.on('error', () => process.exit(0));
  process.stdin.resume();
}
