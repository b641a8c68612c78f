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
