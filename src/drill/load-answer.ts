/** An HTTP/1.1 answer, whole. Text is latin1: one character for each octet. */
export interface Answer {
  readonly status: number;
  /** The value of a field, by its name in lower case; '' when it is not there. The first, when there are several. */
  header(name: string): string;
  readonly body: string;
  /** Whether the connection may carry another request (RFC 9112, 9.3). */
  readonly keepAlive: boolean;
}

const answerLengthMax = 1 << 20;

/**
 * Reads one answer from all that has come on a connection since its request was written.
 *
 * @param text what has come so far
 * @param closed whether the peer has ended the connection, so nothing else will come
 * @returns the answer; undefined while it is not whole
 * @throws Error when it is none, or is cut, or longer than 1 MiB
 */
export function readAnswer(text: string, closed: boolean): Answer | undefined {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return unfinished(text, closed);
  if (!text.startsWith('HTTP/1.')) throw new Error(`not an HTTP/1 answer: ${text.slice(0, 40)}`);
  const status = Number(text.slice(9, 12));
  // Interim answers come before the one that counts (RFC 9110, 15.2).
  if (status >= 100 && status < 200) return readAnswer(text.slice(headEnd + 4), closed);
  const head = text.slice(0, headEnd + 2);
  const header = headerOf(head);
  const rest = text.slice(headEnd + 4);
  const framed = bodyOf(status, header, rest, closed);
  if (framed === undefined) return unfinished(text, closed);
  const keepAlive = framed.delimited && header('connection').toLowerCase() !== 'close' && head[7] !== '0';
  return { status, header, body: framed.body, keepAlive };
}

function unfinished(text: string, closed: boolean): undefined {
  if (closed) throw new Error(text === '' ? 'closed without an answer' : 'the answer was cut');
  if (text.length > answerLengthMax) throw new Error(`an answer longer than ${answerLengthMax} bytes`);
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

type Body = { readonly body: string; readonly delimited: boolean };

/** The body by its framing (RFC 9112, 6.3); undefined while it is not whole. */
function bodyOf(
  status: number,
  header: (name: string) => string,
  rest: string,
  closed: boolean,
): Body | undefined {
  if (status === 204 || status === 304) return { body: '', delimited: true };
  if (header('transfer-encoding').toLowerCase().endsWith('chunked')) return chunks(rest);
  const length = header('content-length');
  if (length === '') return closed ? { body: rest, delimited: false } : undefined;
  const wanted = Number(length);
  return rest.length >= wanted ? { body: rest.slice(0, wanted), delimited: true } : undefined;
}

/** A chunked body (RFC 9112, 7.1), without extensions and trailers; undefined while it is not whole. */
function chunks(text: string): Body | undefined {
  let body = '';
  let at = 0;
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    if (!Number.isInteger(size)) throw new Error(`not the size of a chunk: ${text.slice(at, lineEnd)}`);
    if (size === 0) return text.includes('\r\n\r\n', lineEnd) ? { body, delimited: true } : undefined;
    if (text.length < lineEnd + 2 + size + 2) return undefined;
    body += text.slice(lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 2 + size + 2;
  }
}
