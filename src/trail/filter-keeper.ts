import type { Clock, Timer } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import type { Logger } from '../base/log.ts';
import type { TrailPolicy } from '../model/trail.ts';
import type { FilterArtefact, PolicyCompiler } from './compile.ts';

/** What a keeper needs. */
interface FilterKeeperOptions {
  readonly compiler: PolicyCompiler;
  readonly clock: Clock;
  readonly logger: Logger;
  /** All filters of the newest policies; `at`: the time of the event that requested them. */
  onFilters(filters: readonly FilterArtefact[], at: number): void;
  /** Compiling the newest policies failed; it is retried. `error.ref` names the policy. */
  onFailure(error: MeshError): void;
}

/** Keeps the filters of the newest policies: on a failure the last good ones stay. */
interface FilterKeeper {
  /** Sets the policies; `at`: when the event that changed them was read. */
  setPolicies(policies: readonly TrailPolicy[], at: number): void;
  /** Whether the filters of the newest policies have been delivered. */
  isCurrent(): boolean;
  close(): Promise<void>;
}

/** Pause before a failed compilation is retried. */
const retryMs = 10_000;

/** Creates a keeper; closing it closes its compiler. */
export function createFilterKeeper(options: FilterKeeperOptions): FilterKeeper {
  const { compiler, clock, logger } = options;
  let key = '';
  let compiledKey: string | undefined;
  let retry: Timer | undefined;
  let closed = false;

  async function compile(policies: readonly TrailPolicy[], at: number): Promise<void> {
    retry?.cancel();
    const wanted = JSON.stringify(policies);
    if (wanted === key || closed) return;
    key = wanted;
    try {
      const compiled = await Promise.all(policies.map((policy) => compiler.compile(policy)));
      if (wanted !== key || closed) return;
      compiledKey = key;
      options.onFilters(compiled, at);
    } catch (reason) {
      // A newer policy is being compiled, and will report.
      if (closed || wanted !== key) return;
      key = '';
      retry = clock.after(retryMs, () => void compile(policies, clock.now()));
      const error = MeshError.from(reason);
      options.onFailure(error);
      logger.error('filter not pushed; the last good one stays', { error: error.message, ref: error.ref });
    }
  }

  return {
    setPolicies: (policies, at) => void compile(policies, at),
    isCurrent: () => compiledKey === key,
    close() {
      closed = true;
      retry?.cancel();
      return compiler.close();
    },
  };
}
