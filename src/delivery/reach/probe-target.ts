import { createConnection } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { yieldToEventLoop } from '../../base/yield-to-event-loop.ts';
import type { ProbeTarget } from '../../model/reach.ts';

/** The result of a probe: connection `refused` or not opened in time, accepted but `silent`, or answered. */
type ProbeResult = 'answers' | 'silent' | 'refused';

/** Connect timeout, and the answer's beyond the network's own time. Milliseconds. */
interface ProbeTimes {
  readonly connectMs: number;
  readonly answerMs: number;
}

/** The client connection preface: its fixed octets, and an empty SETTINGS frame (RFC 9113, 3.4, 6.5). */
const preface = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);

/** Multiple of the connect time allowed for the answer: a round trip, and as much for one loss. */
const waysMax = 3;

/**
 * Opens a connection, sends a request and waits for any reply. A kernel accepts connections and acknowledges
 * data without the process that they are for. Any octet is a reply, and so is a close.
 */
export function probeTarget(
  at: ProbeTarget,
  { connectMs, answerMs }: ProbeTimes,
  clock: Pick<Clock, 'now'>,
): Promise<ProbeResult> {
  const { address: host, port, request } = at;
  return new Promise((resolve) => {
    const began = clock.now();
    let isOpen = false;
    const socket = createConnection({ host, port, timeout: connectMs });
    const end = (found: ProbeResult) => {
      socket.destroy();
      resolve(found);
    };
    socket.once('connect', () => {
      isOpen = true;
      if (request === undefined) return end('answers');
      socket.setTimeout(answerMs + waysMax * (clock.now() - began));
      socket.write(request.kind === 'http2' ? preface : get(request));
    });
    socket.once('data', () => end('answers'));
    socket.once('end', () => end('answers'));
    // A kernel resets connections of a dead process: not a sign of life.
    socket.once('error', () => end('refused'));
    // After pending events: in a stalled process timers run out before the reply is read.
    socket.once('timeout', () => void yieldToEventLoop().then(() => end(isOpen ? 'silent' : 'refused')));
  });
}

function get({ host, path }: Extract<ProbeTarget['request'], { kind: 'get' }>): string {
  return `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
}
