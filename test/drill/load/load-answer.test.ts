import t from 'tap';
import { createAnswerReader, type LoadAnswer } from '../../../src/drill/load/callers/load-answer.ts';

const head = (lines: string) => `HTTP/1.1 200 OK\r\n${lines}\r\n`;

/**
 * What is read from a text that comes in pieces of so many octets: where it was whole, and what it then said.
 */
function firstWhole(
  text: string,
  octets: number,
): { at: number; body: string; status: number; keepAlive: boolean } | undefined {
  const reader = createAnswerReader();
  for (let from = 0; from < text.length; from += octets) {
    const answer = reader.take(Buffer.from(text.slice(from, from + octets), 'latin1'));
    if (answer) {
      const { body, status, keepAlive } = answer;
      return { at: Math.min(text.length, from + octets), body, status, keepAlive };
    }
  }
  return undefined;
}

/** What is read from a text that comes at once, after which the connection ends. */
function readAnswer(text: string, closed: boolean): LoadAnswer | undefined {
  const reader = createAnswerReader();
  return reader.take(Buffer.from(text, 'latin1')) ?? (closed ? reader.end() : undefined);
}

t.test('an answer is whole with its last octet, and not before, however it comes in', async (t) => {
  const cases: Record<string, { text: string; body: string; keepAlive?: boolean; status?: number }> = {
    'by length': { text: `${head('Content-Length: 5\r\n')}hello`, body: 'hello' },
    'without a body': { text: head('content-length: 0\r\n'), body: '' },
    'by chunks': {
      text: `${head('transfer-encoding: chunked\r\n')}5\r\nhello\r\n0b\r\n, my world!\r\n0\r\n\r\n`,
      body: 'hello, my world!',
    },
    'after an interim answer': {
      text: `HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${head('content-length: 2\r\n')}ok`,
      body: 'ok',
    },
    'of which the connection ends': {
      text: `${head('content-length: 2\r\nConnection: close\r\n')}ok`,
      body: 'ok',
      keepAlive: false,
    },
    'that has no content': { text: 'HTTP/1.1 204 No Content\r\n\r\n', body: '', status: 204 },
  };
  for (const [name, { text, body, keepAlive = true, status = 200 }] of Object.entries(cases)) {
    for (let octets = 1; octets <= text.length; octets += 1)
      t.same(firstWhole(text, octets), { at: text.length, body, keepAlive, status }, `${name}, ${octets}`);
  }
});

t.test('without a length the answer ends with the connection', async (t) => {
  const text = `${head('')}all of it`;
  t.equal(readAnswer(text, false), undefined);
  t.match(readAnswer(text, true), { body: 'all of it', keepAlive: false });
});

t.test('fields are found by name, whatever their case', async (t) => {
  const answer = readAnswer(
    head('X-Drill-IDC:  sh-a \r\nx-drill-idc-not: sh-b\r\ncontent-length: 0\r\n'),
    false,
  );
  t.equal(answer?.header('x-drill-idc'), 'sh-a');
  t.equal(answer?.header('x-drill'), '');
});

t.test('what is cut, is none or never ends is an error', async (t) => {
  t.throws(() => readAnswer('', true), /without an answer/);
  t.throws(() => readAnswer(head('content-length: 9\r\n').slice(0, -3), true), /cut/);
  t.throws(() => readAnswer(`${head('content-length: 9\r\n')}eight...`, true), /cut/);
  t.throws(() => readAnswer('SSH-2.0-x\r\n\r\n', false), /not an HTTP/);
  t.throws(() => readAnswer(`${head('transfer-encoding: chunked\r\n')}zz\r\n`, false), /size of a chunk/);
  t.throws(() => readAnswer('x'.repeat(2 ** 20 + 1), false), /longer than/);
});

t.test('a sink takes the body of what it wants, and nothing is kept', async (t) => {
  let taken = '';
  const reader = createAnswerReader(({ status }) =>
    status === 200
      ? (piece) => {
          taken += piece.toString();
        }
      : undefined,
  );
  t.equal(reader.status, 0);
  t.equal(reader.take(Buffer.from(`${head('content-length: 9\r\n')}nine`)), undefined);
  t.equal(reader.status, 200, 'the status is known before the body is whole');
  t.match(reader.take(Buffer.from(' left!')), { body: '', keepAlive: false, surplus: Buffer.from('!') });
  t.equal(taken, 'nine left');
});

t.test('a change of protocols is whole with its head, and what follows is the other protocol', async (t) => {
  const text = 'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\nfirst';
  t.match(readAnswer(text, false), { status: 101, surplus: Buffer.from('first') });
});
