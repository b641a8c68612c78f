import { Worker } from 'node:worker_threads';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';

/** What is sent: GETs to the targets by turn. */
export interface LoadPlan {
  readonly targets: readonly ListenAddress[];
  readonly ratePerSecond: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** What has become of the requests. `failed` says it of each that did not get a 200. */
export interface LoadResult {
  readonly served: number;
  readonly failed: readonly string[];
}

/** A load that is under way, in a thread of its own. */
export interface OpenLoop {
  /** How many requests have been answered with 200 so far. */
  served(): number;
  /** Sends no more, and waits for what is under way. */
  stop(): Promise<LoadResult>;
}

/** Sends each request when it is due, whatever became of those before it. Nothing is retried. */
export function startOpenLoop(plan: LoadPlan): OpenLoop {
  const worker = new Worker(new URL('./open-loop-worker.ts', import.meta.url), {
    workerData: plan,
    execArgv: [],
  });
  let result: LoadResult = { served: 0, failed: [] };
  const last = new Promise<LoadResult>((resolve, reject) => {
    worker.on('error', reject);
    worker.on('message', ({ last, ...now }: LoadResult & { last: boolean }) => {
      result = now;
      if (last) resolve(now);
    });
  });
  return {
    served: () => result.served,
    stop() {
      worker.postMessage('stop');
      return last;
    },
  };
}
