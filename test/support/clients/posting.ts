import { sleep, systemClock } from '../../../src/base/clock.ts';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';
import { get } from '../mesh.ts';

/** What was sent, and what failed of it, in words. */
export interface Posted {
  readonly sent: number;
  readonly failed: readonly string[];
}

/** How it is posted: from so many loops to each address, and how long each pauses after an answer. */
export interface PostingOptions {
  readonly host?: string;
  readonly loops?: number;
  readonly pauseMs?: number;
  /** Called at once with each failure. */
  readonly onFailure?: (words: string) => void;
}

/** POSTs, which nothing repeats once they were sent, to each of these until it is stopped. */
export function startPosting(
  to: readonly ListenAddress[],
  { host = 'echo.shop', loops = 1, pauseMs = 5, onFailure }: PostingOptions = {},
): { stop(): Promise<Posted> } {
  const failed: string[] = [];
  let sent = 0;
  let going = true;
  async function post(address: ListenAddress, index: number): Promise<void> {
    while (going) {
      sent += 1;
      const { status, body } = await get(address, '/', { host, method: 'POST' });
      if (status !== 200) {
        const words = `proxy ${index}: ${status} ${body}`;
        failed.push(words);
        onFailure?.(words);
      }
      if (pauseMs > 0) await sleep(systemClock, pauseMs);
    }
  }
  const posts = to.flatMap((address, index) => Array.from({ length: loops }, () => post(address, index)));
  return {
    async stop() {
      going = false;
      await Promise.all(posts);
      return { sent, failed };
    },
  };
}
