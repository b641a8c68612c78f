import { connect } from 'node:net';
import type { ListenAddress } from '../../../src/model/values/listen-address.ts';

/** An HTTP/1 answer as it came: nothing is tidied up. */
export interface RawAnswer {
  /** 0: there was none. */
  readonly status: number;
  /** The first line and the header lines. */
  readonly head: readonly string[];
  /** What came after the head, framing included. */
  readonly rest: string;
  /** Whether the other side ended the connection in the time given. */
  readonly ended: boolean;
  /** All that came. */
  readonly text: string;
}

/** How a raw exchange differs from the usual. */
export interface RawOptions {
  /** How long to listen, in milliseconds; by default until the other side ends, 10 s at most. */
  readonly listenMs?: number;
  /** Stop as soon as this has come; by default when a body of known length, or its last chunk, is there. */
  readonly until?: RegExp;
  /** Whether to end the sending half of the connection after the bytes. */
  readonly half?: boolean;
  /** Sent when something has come: the second half of an exchange. */
  readonly next?: string;
}

/** Writes bytes (latin1) to a connection of its own, and reads what comes back. */
export function rawExchange(to: ListenAddress, text: string, options: RawOptions = {}): Promise<RawAnswer> {
  return new Promise((resolve) => {
    let got = '';
    let next = options.next;
    const socket = connect(to.port, to.address, () => {
      if (options.half) socket.end(text, 'latin1');
      else socket.write(text, 'latin1');
    });
    const done = (ended: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(parse(got, ended));
    };
    const timer = setTimeout(() => done(false), options.listenMs ?? 10_000);
    socket.setEncoding('latin1');
    socket.on('data', (part: string) => {
      got += part;
      if (next !== undefined) socket.write(next, 'latin1');
      next = undefined;
      if (options.until === undefined ? isWhole(got) : options.until.test(got)) done(false);
    });
    socket.on('end', () => done(true));
    socket.on('error', () => done(true));
  });
}

/** Whether one answer has come whole, as far as its length is said. */
function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const length = /\r\ncontent-length: *([0-9]+)/i.exec(text.slice(0, end))?.[1];
  if (length !== undefined) return text.length >= end + 4 + Number(length);
  return /\r\n0\r\n(?:.+\r\n)*\r\n$/.test(text.slice(end + 2));
}

function parse(text: string, ended: boolean): RawAnswer {
  const end = text.indexOf('\r\n\r\n');
  const head = (end < 0 ? text : text.slice(0, end)).split('\r\n');
  const status = Number(/^HTTP\/1\.[01] ([0-9]{3})/.exec(head[0] ?? '')?.[1] ?? 0);
  return { status, head, rest: end < 0 ? '' : text.slice(end + 4), ended, text };
}
