/** Lets the event loop turn: messages and timers that are due come before what follows. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
