import { keepProcess } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { exitCode } from '../../base/exit.ts';

/** Signals of a command that has something to undo. */
interface StopSignals {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  end(): void;
}

/**
 * Handles SIGINT, SIGTERM and SIGHUP; without a terminal it continues. The second signal ends the process
 * with the message `otherwise`: what happens then.
 */
export function stopOnSignals(otherwise: string): StopSignals {
  const stop = new AbortController();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const listener = (name: NodeJS.Signals) => {
    if (!stop.signal.aborted) {
      stop.abort(new MeshError('late', `interrupted by ${name}`));
      return;
    }
    process.stdout.write(`${name} again: not waited for; ${otherwise}\n`);
    process.exit(exitCode.interrupted);
  };
  const ignore = () => {};
  for (const name of signals) process.on(name, listener);
  process.stdout.on('error', ignore);
  return {
    signal: stop.signal,
    end() {
      for (const name of signals) process.off(name, listener);
      process.stdout.off('error', ignore);
    },
  };
}

/** Signals that end a server. */
const endings = ['SIGTERM', 'SIGINT'] as const;

/** The next SIGTERM or SIGINT. */
export function nextEnding(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const heard = (signal: NodeJS.Signals) => {
      for (const one of endings) process.off(one, heard);
      resolve(signal);
    };
    for (const one of endings) process.on(one, heard);
  });
}

/**
 * Keeps the process until the first SIGTERM or SIGINT; a second one ends it as the system does, unless
 * somebody waits for it.
 */
export async function untilStopped(): Promise<void> {
  const letEnd = keepProcess();
  await nextEnding();
  letEnd();
}
