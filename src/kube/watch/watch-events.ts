import type { Clock } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { yieldToEventLoop } from '../../base/yield-to-event-loop.ts';

/** An event of a watch, as it stands in its stream. */
export interface WatchEvent {
  readonly type: string;
  readonly object: KubeObject;
}

/** An object of the API, as far as every object is alike. */
export interface KubeObject {
  readonly kind?: string;
  readonly metadata?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly generation?: number;
    readonly creationTimestamp?: string;
    readonly deletionTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly finalizers?: readonly string[];
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

/** Longest time that events are read without a break, in milliseconds. */
const sliceMs = 4;

/** Largest event: an object has at most 1.5 MiB in etcd. */
const eventBytesMax = 16 * 1024 * 1024;

/** What reads events. */
interface EventReader {
  /** An event, in order. */
  event(event: WatchEvent): void;
  /** No event is at hand: what was read so far belongs together. */
  pause(): void;
}

/**
 * Reads the events of a watch, one to a line, until it ends. In slices, so that the process stays responsive:
 * while one waits, the server's window is closed, and no more is kept than it holds. Rejects with MeshError
 * `unavailable` if an event is not whole, and with what `reader` throws.
 */
export async function readEvents(
  body: AsyncIterable<Buffer>,
  reader: EventReader,
  clock: Clock,
): Promise<void> {
  let rest: Buffer[] = [];
  let restBytes = 0;
  let since = clock.now();
  for await (const chunk of body) {
    let from = 0;
    // Chunks that wait come without a break between them.
    if (clock.now() - since >= sliceMs) {
      await yieldToEventLoop();
      since = clock.now();
    }
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      const tail = chunk.subarray(from, end);
      const line = rest.length === 0 ? tail : Buffer.concat([...rest, tail]);
      from = end + 1;
      rest = [];
      restBytes = 0;
      if (line.length > 0) reader.event(parseEvent(line));
      if (clock.now() - since < sliceMs) continue;
      reader.pause();
      await yieldToEventLoop();
      since = clock.now();
    }
    if (from < chunk.length) {
      rest.push(chunk.subarray(from));
      restBytes += chunk.length - from;
    }
    if (restBytes > eventBytesMax)
      throw new MeshError('exhausted', 'an event of a watch is larger than 16 MiB');
    reader.pause();
  }
  if (restBytes > 0) throw cut();
}

function parseEvent(line: Buffer): WatchEvent {
  let parsed: Partial<WatchEvent> | undefined;
  try {
    parsed = JSON.parse(line.toString('utf8'));
  } catch {
    throw cut();
  }
  if (typeof parsed?.type !== 'string' || typeof parsed.object !== 'object' || parsed.object === null)
    throw cut();
  return parsed as WatchEvent;
}

function cut(): MeshError {
  return new MeshError('unavailable', 'an event of a watch is not whole JSON');
}
