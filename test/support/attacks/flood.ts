import { stillOpen, type Target } from './attack.ts';
import { endOf, pause } from './ends.ts';
import { connectRaw, type RawConnection } from './raw.ts';

/** Connects again and again until the attack is over, and floods each connection; how each of them ended. */
export async function floodAgain(
  { at, signal }: Target,
  flood: (raw: RawConnection) => Promise<void>,
): Promise<string[]> {
  const ends: string[] = [];
  while (!signal.aborted) {
    const raw = await connectRaw(at);
    await flood(raw);
    const end = await endOf(raw);
    // One that was only begun when the attack was over says nothing.
    if (end !== stillOpen || !signal.aborted || ends.length === 0) ends.push(end);
    raw.socket.destroy();
    await pause(20);
  }
  return ends;
}

/** Writes the same bytes again and again, as fast as a connection takes them. */
export async function writeAgain({ signal }: Target, raw: RawConnection, bytes: Buffer): Promise<void> {
  while (!signal.aborted && !raw.socket.destroyed) {
    raw.socket.write(bytes);
    await raw.drained();
    await pause(1);
  }
}

/** Opens stream after stream on a connection, as fast as it takes them. */
export async function openStreams(
  { signal }: Target,
  raw: RawConnection,
  open: (stream: number) => void,
): Promise<void> {
  for (let stream = 1; !signal.aborted && !raw.socket.destroyed && stream < 2e6; stream += 2) {
    open(stream);
    if (stream % 200 === 199) await Promise.race([raw.drained(), pause(1)]);
  }
}
