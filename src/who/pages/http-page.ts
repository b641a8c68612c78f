import { get, type IncomingMessage } from 'node:http';
import { systemClock } from '../../base/clock.ts';
import { yieldToEventLoop } from '../../base/yield-to-event-loop.ts';
import type { ListenAddress } from '../../model/values/listen-address.ts';

/** What reads a page as it arrives: it throws an Error that says what is wrong with it. */
export interface PageReader<T> {
  push(part: Buffer): void;
  end(): T;
}

/**
 * Limits of an answer: time without what it costs to read it, in milliseconds, size in bytes (an older Envoy
 * does not filter), and bytes that are read at once while others wait: a millisecond or two.
 */
const readLimits = { answerMsMax: 2_000, answerBytesMax: 32 * 2 ** 20, sliceBytes: 8_192 } as const;

/** Reads a page of an Envoy. Rejects with an Error that says why it cannot. */
export function readHttpPage<T>(
  { address: host, port }: ListenAddress,
  path: string,
  reader: PageReader<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const sent = get({ host, port, path, agent: false }, (response) => {
      const ending = (reason: Error) => void sent.destroy(reason);
      readAnswer(response, reader, work).then(resolve, (reason) => {
        reject(reason);
        ending(reason);
      });
    });
    const work = new WorkTime(() => {
      const late = new Error(`no whole answer in ${readLimits.answerMsMax / 1_000} s`);
      reject(late);
      sent.destroy(late);
    });
    sent.on('error', reject).on('close', () => work.end());
  });
}

async function readAnswer<T>(response: IncomingMessage, reader: PageReader<T>, work: WorkTime): Promise<T> {
  if (response.statusCode !== 200) throw new Error(`it answers ${response.statusCode}`);
  let bytes = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > readLimits.answerBytesMax) throw new Error('its answer is too long');
    await work.during(async () => {
      for (let from = 0; from < part.length; from += readLimits.sliceBytes) {
        reader.push(part.subarray(from, from + readLimits.sliceBytes));
        await yieldToEventLoop();
      }
    });
  }
  return reader.end();
}

/** The time limit of an answer, in which the time that this process needs to read it does not count. */
class WorkTime {
  readonly #begun = systemClock.now();
  readonly #onLate: () => void;
  #workedMs = 0;
  #timer = systemClock.after(readLimits.answerMsMax, () => this.#check());

  constructor(onLate: () => void) {
    this.#onLate = onLate;
  }

  async during(work: () => Promise<void>): Promise<void> {
    const begun = systemClock.now();
    await work();
    this.#workedMs += systemClock.now() - begun;
  }

  end(): void {
    this.#timer.cancel();
  }

  #check(): void {
    const leftMs = this.#begun + readLimits.answerMsMax + this.#workedMs - systemClock.now();
    if (leftMs <= 0) this.#onLate();
    else this.#timer = systemClock.after(Math.max(1, leftMs), () => this.#check());
  }
}
