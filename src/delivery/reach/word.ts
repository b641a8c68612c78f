import { createConnection } from 'node:net';
import { breathe } from '../../base/breathe.ts';
import type { Clock } from '../../base/clock.ts';
import type { Watched } from '../../model/reach.ts';

/** What became of a connection: it was `refused`, or never opened; or whoever accepted it said nothing. */
type Found = 'answers' | 'silent' | 'refused';

/**
 * How long a connection may take to open, and the answer to what is said on it beyond the network's own time.
 * Milliseconds.
 */
interface WordTimes {
  readonly connectMs: number;
  readonly answerMs: number;
}

/**
 * The client's connection preface: its fixed octets, and a SETTINGS frame with nothing in it (RFC 9113, 3.4,
 * 6.5).
 */
const preface = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);

/**
 * How often the way that a connection took to open may be needed again: there and back, and as long for what
 * is lost on it once.
 */
const waysMax = 3;

/**
 * Opens a connection, says what is to be said and waits for anything that comes back: that a kernel accepts
 * connections and confirms what is sent says nothing of the process that they are for. Any octet is an
 * answer, and so is an end.
 */
export function askWord(
  at: Watched,
  { connectMs, answerMs }: WordTimes,
  clock: Pick<Clock, 'now'>,
): Promise<Found> {
  const { address: host, port, say } = at;
  return new Promise((resolve) => {
    const began = clock.now();
    let isOpen = false;
    const socket = createConnection({ host, port, timeout: connectMs });
    const end = (found: Found) => {
      socket.destroy();
      resolve(found);
    };
    socket.once('connect', () => {
      isOpen = true;
      if (say === undefined) return end('answers');
      socket.setTimeout(answerMs + waysMax * (clock.now() - began));
      socket.write(say.kind === 'http2' ? preface : get(say));
    });
    socket.once('data', () => end('answers'));
    socket.once('end', () => end('answers'));
    // A kernel resets what a process leaves behind: that is no sign of life.
    socket.once('error', () => end('refused'));
    // After the events that wait: who was itself kept from working finds its timers run out before it reads.
    socket.once('timeout', () => void breathe().then(() => end(isOpen ? 'silent' : 'refused')));
  });
}

function get({ host, path }: Extract<Watched['say'], { kind: 'get' }>): string {
  return `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
}
