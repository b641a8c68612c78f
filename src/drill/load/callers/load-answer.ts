/** The head of an HTTP/1.1 answer. */
export interface AnswerHead {
  readonly status: number;
  /**
   * The value of a field, by its name in lower case; '' when it is not there. The first, when there are
   * several.
   */
  header(name: string): string;
}

/** An HTTP/1.1 answer, whole. Text is latin1: one character for each octet. */
export interface Answer extends AnswerHead {
  /** The body, unless a sink took it. */
  readonly body: string;
  /** Whether the connection may carry another request (RFC 9112, 9.3). */
  readonly keepAlive: boolean;
  /** What came after the answer: of a 101, the first bytes of the other protocol. */
  readonly surplus: Buffer;
}

/** Takes a body piece by piece. */
export type Sink = (piece: Buffer) => void;

/**
 * Reads one answer from a connection, as it comes. Its methods throw Error when that is none, or cut, or too
 * long.
 */
export interface AnswerReader {
  /** Takes what came. Returns the answer when it is whole. */
  take(chunk: Buffer): Answer | undefined;
  /** Says that the peer has ended the connection. */
  end(): Answer;
  /** The status, once the head has come; 0 before. */
  readonly status: number;
}

/** The longest head, and the longest body that no sink takes. */
const textLengthMax = 1 << 20;

const nothing: Buffer = Buffer.alloc(0);

type State = 'head' | 'length' | 'chunk size' | 'chunk' | 'chunk end' | 'trailers' | 'to the end';

/**
 * A reader of one answer. `sinkOf` is asked, once the head has come, for what takes the body; undefined: it
 * is kept as text.
 */
export function createAnswerReader(sinkOf?: (head: AnswerHead) => Sink | undefined): AnswerReader {
  let state: State = 'head';
  let pending: Buffer = nothing;
  let head: (AnswerHead & { readonly reusable: boolean }) | undefined;
  let sink: Sink = () => {};
  let text = '';
  let left = 0;

  const whole = (delimited: boolean, surplus: Buffer): Answer => {
    if (!head) throw new Error('the answer was cut');
    const keepAlive = delimited && head.reusable && surplus.length === 0;
    return { status: head.status, header: head.header, body: text, keepAlive, surplus };
  };
  const keep: Sink = (piece) => {
    text += piece.toString('latin1');
    if (text.length > textLengthMax) throw new Error(`an answer longer than ${textLengthMax} bytes`);
  };
  const begin = (lines: string): void => {
    if (!lines.startsWith('HTTP/1.')) throw new Error(`not an HTTP/1 answer: ${lines.slice(0, 40)}`);
    const header = headerOf(lines);
    const status = Number(lines.slice(9, 12));
    const reusable = lines[7] !== '0' && header('connection').toLowerCase() !== 'close';
    head = { status, header, reusable };
    sink = sinkOf?.(head) ?? keep;
    // The body by its framing (RFC 9112, 6.3).
    const length = header('content-length');
    if (header('transfer-encoding').toLowerCase().endsWith('chunked')) state = 'chunk size';
    else if (status === 101 || status === 204 || status === 304) [state, left] = ['length', 0];
    else if (length === '') state = 'to the end';
    else [state, left] = ['length', Number(length)];
  };
  /** The next line of `rest`, or undefined: then it is kept until more has come. */
  const lineOf = (rest: Buffer): string | undefined => {
    const at = rest.indexOf('\r\n');
    if (at >= 0) return rest.toString('latin1', 0, at);
    pending = rest;
    return undefined;
  };
  const pass = (rest: Buffer): Buffer => {
    const piece = rest.subarray(0, left);
    left -= piece.length;
    if (piece.length > 0) sink(piece);
    return rest.subarray(piece.length);
  };

  /** One step through `rest`: what remains of it, or the whole answer, or undefined to wait for more. */
  const step = (rest: Buffer): Buffer | Answer | undefined => {
    switch (state) {
      case 'head': {
        const at = rest.indexOf('\r\n\r\n');
        if (at < 0) {
          if (rest.length > textLengthMax) throw new Error(`a head longer than ${textLengthMax} bytes`);
          pending = rest;
          return undefined;
        }
        const lines = rest.toString('latin1', 0, at + 2);
        // Interim answers come before the one that counts (RFC 9110, 15.2); a change of protocols is the
        // last.
        if (!/^HTTP\/1\.. 1(?!01)/.test(lines)) begin(lines);
        return rest.subarray(at + 4);
      }
      case 'length': {
        const after = pass(rest);
        return left === 0 ? whole(true, after) : undefined;
      }
      case 'to the end':
        if (rest.length > 0) sink(rest);
        return undefined;
      case 'chunk size': {
        const line = lineOf(rest);
        if (line === undefined) return undefined;
        left = Number.parseInt(line, 16);
        if (!Number.isInteger(left)) throw new Error(`not the size of a chunk: ${line.slice(0, 40)}`);
        state = left === 0 ? 'trailers' : 'chunk';
        return rest.subarray(line.length + 2);
      }
      case 'chunk': {
        const after = pass(rest);
        if (left > 0) return undefined;
        state = 'chunk end';
        return after;
      }
      case 'chunk end':
      case 'trailers': {
        const line = lineOf(rest);
        if (line === undefined) return undefined;
        const after = rest.subarray(line.length + 2);
        if (state === 'trailers' && line === '') return whole(true, after);
        if (state === 'chunk end') state = 'chunk size';
        return after;
      }
    }
  };

  return {
    take(chunk) {
      let rest = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      pending = nothing;
      for (;;) {
        const next = step(rest);
        if (next === undefined) return undefined;
        if (!Buffer.isBuffer(next)) return next;
        rest = next;
      }
    },
    end() {
      if (state === 'to the end') return whole(false, nothing);
      const began = head !== undefined || pending.length > 0;
      throw new Error(began ? 'the answer was cut' : 'closed without an answer');
    },
    get status() {
      return head?.status ?? 0;
    },
  };
}

function headerOf(head: string): (name: string) => string {
  const lower = head.toLowerCase();
  return (name) => {
    const at = lower.indexOf(`\r\n${name}:`);
    if (at < 0) return '';
    const from = at + name.length + 3;
    return head.slice(from, head.indexOf('\r\n', from)).trim();
  };
}
