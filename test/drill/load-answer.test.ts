import t from 'tap';
import { readAnswer } from '../../src/drill/load-answer.ts';

const head = (lines: string) => `HTTP/1.1 200 OK\r\n${lines}\r\n`;

/** What is read from each longer beginning of a text: where it first was whole, and what it then said. */
function firstWhole(
  text: string,
): { at: number; body: string; status: number; keepAlive: boolean } | undefined {
  for (let at = 0; at <= text.length; at++) {
    const answer = readAnswer(text.slice(0, at), false);
    if (answer) return { at, body: answer.body, status: answer.status, keepAlive: answer.keepAlive };
  }
  return undefined;
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
    t.same(firstWhole(text), { at: text.length, body, keepAlive, status }, name);
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
