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
export interface LoadAnswer extends AnswerHead {
  /** The body, unless a sink took it. */
  readonly body: string;
  /** Whether the connection may carry another request (RFC 9112, 9.3). */
  readonly keepAlive: boolean;
  /** What came after the answer: of a 101, the first bytes of the other protocol. */
  readonly surplus: Buffer;
}

/** Takes a body piece by piece. */
export type BodySink = (piece: Buffer) => void;

/**
 * Reads one answer from a connection, as it comes. Its methods throw Error when that is none, or cut, or too
 * long.
 */
export interface AnswerReader {
  /** Takes what came. Returns the answer when it is whole. */
  take(chunk: Buffer): LoadAnswer | undefined;
  /** Says that the peer has ended the connection. */
  end(): LoadAnswer;
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
export function createAnswerReader(sinkOf?: (head: AnswerHead) => BodySink | undefined): AnswerReader {
  return new Http1AnswerReader(sinkOf);
}

class Http1AnswerReader implements AnswerReader {
  readonly #sinkOf: ((head: AnswerHead) => BodySink | undefined) | undefined;
  #state: State = 'head';
  #pending: Buffer = nothing;
  #head: (AnswerHead & { readonly reusable: boolean }) | undefined;
  #sink: BodySink = () => {};
  #text = '';
  #left = 0;
  readonly #keep: BodySink = (piece) => {
    this.#text += piece.toString('latin1');
    if (this.#text.length > textLengthMax) throw new Error(`an answer longer than ${textLengthMax} bytes`);
  };

  constructor(sinkOf?: (head: AnswerHead) => BodySink | undefined) {
    this.#sinkOf = sinkOf;
  }

  take(chunk: Buffer<ArrayBufferLike>): LoadAnswer | undefined {
    let rest = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    this.#pending = nothing;
    for (;;) {
      const next = this.#step(rest);
      if (next === undefined) return undefined;
      if (!Buffer.isBuffer(next)) return next;
      rest = next;
    }
  }

  end(): LoadAnswer {
    if (this.#state === 'to the end') return this.#whole(false, nothing);
    const began = this.#head !== undefined || this.#pending.length > 0;
    throw new Error(began ? 'the answer was cut' : 'closed without an answer');
  }

  get status() {
    return this.#head?.status ?? 0;
  }

  #whole(delimited: boolean, surplus: Buffer): LoadAnswer {
    if (!this.#head) throw new Error('the answer was cut');
    const keepAlive = delimited && this.#head.reusable && surplus.length === 0;
    return { status: this.#head.status, header: this.#head.header, body: this.#text, keepAlive, surplus };
  }

  #begin(lines: string): void {
    if (!lines.startsWith('HTTP/1.')) throw new Error(`not an HTTP/1 answer: ${lines.slice(0, 40)}`);
    const header = headerOf(lines);
    const status = Number(lines.slice(9, 12));
    const reusable = lines[7] !== '0' && header('connection').toLowerCase() !== 'close';
    this.#head = { status, header, reusable };
    this.#sink = this.#sinkOf?.(this.#head) ?? this.#keep;
    // The body by its framing (RFC 9112, 6.3).
    const length = header('content-length');
    if (header('transfer-encoding').toLowerCase().endsWith('chunked')) this.#state = 'chunk size';
    else if (status === 101 || status === 204 || status === 304) [this.#state, this.#left] = ['length', 0];
    else if (length === '') this.#state = 'to the end';
    else [this.#state, this.#left] = ['length', Number(length)];
  }

  /** The next line of `rest`, or undefined: then it is kept until more has come. */
  #lineOf(rest: Buffer): string | undefined {
    const at = rest.indexOf('\r\n');
    if (at >= 0) return rest.toString('latin1', 0, at);
    this.#pending = rest;
    return undefined;
  }

  #pass(rest: Buffer): Buffer {
    const piece = rest.subarray(0, this.#left);
    this.#left -= piece.length;
    if (piece.length > 0) this.#sink(piece);
    return rest.subarray(piece.length);
  }

  /** One step through `rest`: what remains of it, or the whole answer, or undefined to wait for more. */
  #step(rest: Buffer): Buffer | LoadAnswer | undefined {
    switch (this.#state) {
      case 'head': {
        const at = rest.indexOf('\r\n\r\n');
        if (at < 0) {
          if (rest.length > textLengthMax) throw new Error(`a head longer than ${textLengthMax} bytes`);
          this.#pending = rest;
          return undefined;
        }
        const lines = rest.toString('latin1', 0, at + 2);
        // Interim answers come before the one that counts (RFC 9110, 15.2); a change of protocols is the
        // last.
        if (!/^HTTP\/1\.. 1(?!01)/.test(lines)) this.#begin(lines);
        return rest.subarray(at + 4);
      }
      case 'length': {
        const after = this.#pass(rest);
        return this.#left === 0 ? this.#whole(true, after) : undefined;
      }
      case 'to the end':
        if (rest.length > 0) this.#sink(rest);
        return undefined;
      case 'chunk size': {
        const line = this.#lineOf(rest);
        if (line === undefined) return undefined;
        this.#left = Number.parseInt(line, 16);
        if (!Number.isInteger(this.#left)) throw new Error(`not the size of a chunk: ${line.slice(0, 40)}`);
        this.#state = this.#left === 0 ? 'trailers' : 'chunk';
        return rest.subarray(line.length + 2);
      }
      case 'chunk': {
        const after = this.#pass(rest);
        if (this.#left > 0) return undefined;
        this.#state = 'chunk end';
        return after;
      }
      case 'chunk end':
      case 'trailers': {
        const line = this.#lineOf(rest);
        if (line === undefined) return undefined;
        const after = rest.subarray(line.length + 2);
        if (this.#state === 'trailers' && line === '') return this.#whole(true, after);
        if (this.#state === 'chunk end') this.#state = 'chunk size';
        return after;
      }
    }
  }
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
