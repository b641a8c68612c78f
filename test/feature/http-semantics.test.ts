import { connect } from 'node:http2';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { createRawApp, type RawRequest } from '../support/apps/raw-app.ts';
import { type RawAnswer, type RawOptions, rawExchange } from '../support/clients/raw-http.ts';
import { get, until } from '../support/mesh.ts';
import { startTwoIdcs, type TestGroup } from '../support/two-idcs.ts';

// What HTTP allows and a server takes passes every proxy as it is: RFC 9110 and 9112, section by section
// (docs/http.md). An application on raw sockets sees what arrives, and the same requests without a proxy are
// the measure.
const near: TestGroup = { name: 'near', idc: 'sh-a', protocol: 'HTTP' };
const far: TestGroup = { name: 'far', idc: 'sh-b', protocol: 'HTTP' };
const world = await startTwoIdcs([near, far]);
t.teardown(() => world.close());
const keepAlive = setInterval(() => {}, 1000);
t.teardown(() => clearInterval(keepAlive));

const ok = 'Content-Length: 2\r\n\r\nok';
/** Answers by what stands in the path after `/as/`. */
const answers: Readonly<Record<string, string>> = {
  own: `HTTP/1.1 200 All Right\r\nServer: mine/1\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nX-Mixed: A\r\nEmpty:\r\nX-Latin: \xe9\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n${ok}`,
  hints: `HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\n${ok}`,
  none: 'HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n',
  same: 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 5\r\n\r\n',
  odd: `HTTP/1.1 299 Odd\r\n${ok}`,
  trailers:
    'HTTP/1.1 200 OK\r\nTrailer: X-T\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n',
  close: 'HTTP/1.0 200 OK\r\n\r\nok',
  large: `HTTP/1.1 200 OK\r\n${Array.from({ length: 300 }, (_, i) => `X-${i}: ${'v'.repeat(300)}\r\n`).join('')}${ok}`,
  refuse: `HTTP/1.1 417 Expectation Failed\r\n${ok}`,
};

const app = () =>
  createRawApp((request, socket) => {
    const kind = / \/as\/([a-z]+)/.exec(request.line)?.[1];
    const send = (text: string) => socket.write(text, 'latin1');
    if (kind === 'continue') {
      // The body comes as a message of its own, which is not looked at.
      send('HTTP/1.1 100 Continue\r\n\r\n');
      socket.once('data', () => send(`HTTP/1.1 200 OK\r\n${ok}`));
    } else if (kind !== undefined) {
      send(answers[kind] ?? '');
      if (kind === 'close') socket.end();
    } else if (request.line.startsWith('HEAD')) send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n');
    else {
      const body = JSON.stringify(request);
      send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    }
  });
for (const group of [near, far]) {
  const server = app();
  await new Promise<void>((resolve) => server.listen(world.socket(group), resolve));
  t.teardown(() => server.close());
}
const alone = app();
await new Promise<void>((resolve) => alone.listen(0, '127.0.0.1', resolve));
t.teardown(() => alone.close());

interface Row {
  readonly name: string;
  /** The request line, then the header lines but Host and Connection, then the body. */
  readonly send: readonly [line: string, headers?: readonly string[], body?: string];
  readonly options?: RawOptions;
  /** By default the application must see the request line as sent, and these headers. */
  readonly sees?: Partial<RawRequest>;
  /** Of the answer, instead. */
  readonly gets?: (answer: RawAnswer) => unknown;
  readonly expected?: unknown;
  /** Where it is not the same without a proxy: what docs/http.md lists. */
  readonly differs?: true;
}

const many = (count: number) => Array.from({ length: count }, (_, i) => `x-${i}: v`);
const status = (answer: RawAnswer) => answer.status;
const text = (answer: RawAnswer) => answer.rest;
const has =
  (...parts: readonly string[]) =>
  (answer: RawAnswer) =>
    parts.filter((part) => !answer.text.toLowerCase().includes(part.toLowerCase()));
const rows: readonly Row[] = [
  // RFC 9112, 3; RFC 3986: the target.
  { name: 'escaped slashes', send: ['GET /api/projects/grp%2Fapp/x%5Cy HTTP/1.1'] },
  { name: 'double slashes', send: ['GET /img//https://a.b/c HTTP/1.1'] },
  { name: 'dot segments and escapes', send: ['GET /a/./b/../%41/%7e/%2e%2e/%00 HTTP/1.1'] },
  { name: 'a query as it is', send: ['GET /?y=%2F//%41&[a]=b|c HTTP/1.1'] },
  { name: 'characters that should be escaped', send: ['GET /a|b{c}"<>^`[]\\ HTTP/1.1'] },
  { name: 'a long target', send: [`GET /${'v'.repeat(50_000)} HTTP/1.1`] },
  {
    name: 'a target in absolute form (RFC 9112, 3.2.2)',
    send: ['GET http://HOST/x HTTP/1.1'],
    sees: { line: 'GET /x HTTP/1.1' },
    differs: true,
  },
  // RFC 9110, 5: fields.
  { name: 'underscores', send: ['GET / HTTP/1.1', ['user_id: 7']], sees: { headers: ['user_id: 7'] } },
  {
    name: 'any token as a name, empty and non-ASCII values',
    send: ['GET / HTTP/1.1', ["!#$%&'*+-.^_`|~9: 7", 'empty: ', 'latin: \xe9', 'tab: a\tb']],
    sees: { headers: ["!#$%&'*+-.^_`|~9: 7", 'empty: ', 'latin: \xe9', 'tab: a\tb'] },
  },
  {
    name: 'lines of one name',
    send: ['GET / HTTP/1.1', ['x-a: 1', 'x-a: 2']],
    sees: { headers: ['x-a: 1', 'x-a: 2'] },
  },
  { name: '150 headers', send: ['GET / HTTP/1.1', many(150)], sees: { headers: many(150) } },
  // RFC 9110, 7.6.1 and 7.8: hop by hop.
  {
    name: 'what Connection names stays behind',
    send: ['GET / HTTP/1.1', ['Connection: X-Hop', 'X-Hop: 1', 'Keep-Alive: 5']],
    gets: (answer) => /x-hop|keep-alive/i.test(text(answer)),
    expected: false,
    differs: true,
  },
  ...['h2c', 'TLS/1.2', 'foo/2, TLS/1.3', 'websocke', 'websockets', 'tc', 'spdy/3'].map(
    (protocol): Row => ({
      name: `an upgrade to ${protocol} is ignored`,
      send: ['GET / HTTP/1.1', ['Connection: Upgrade', `Upgrade: ${protocol}`]],
      gets: status,
      expected: 200,
    }),
  ),
  {
    name: 'an upgrade with a body is ignored',
    send: ['POST / HTTP/1.1', ['Connection: Upgrade', 'Upgrade: foo', 'Content-Length: 2'], 'ab'],
    sees: { body: 'ab' },
  },
  // RFC 9110, 9: methods.
  ...['FOO', 'get', 'M-SEARCH', 'PROPFIND', 'TRACE', 'M'.repeat(200)].map(
    (method): Row => ({ name: `method ${method.slice(0, 9)}`, send: [`${method} / HTTP/1.1`] }),
  ),
  {
    name: 'HEAD',
    send: ['HEAD / HTTP/1.1'],
    options: { until: /\r\n\r\n/ },
    gets: has('Content-Length: 5'),
    expected: [],
  },
  { name: 'GET with a body', send: ['GET / HTTP/1.1', ['Content-Length: 2'], 'ab'], sees: { body: 'ab' } },
  // RFC 9110, 10.1.1: Expect.
  {
    name: '100 comes from the application',
    send: ['POST /as/continue HTTP/1.1', ['Expect: 100-continue', 'Content-Length: 2']],
    options: { next: 'ab', until: /200 OK[\s\S]*ok/ },
    gets: (answer) => /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200/.test(answer.text),
    expected: true,
  },
  {
    name: 'and it may refuse the body',
    send: ['POST /as/refuse HTTP/1.1', ['Expect: 100-continue', 'Content-Length: 2']],
    gets: (answer) => answer.text.match(/^HTTP\/1.1 \d+/gm),
    expected: ['HTTP/1.1 417'],
  },
  {
    name: 'a body without waiting',
    send: ['POST / HTTP/1.1', ['Expect: 100-continue', 'Content-Length: 2'], 'ab'],
    gets: status,
    expected: 200,
  },
  // RFC 9110, 14; RFC 9112, 7: ranges, chunks, trailers.
  {
    name: 'Range',
    send: ['GET / HTTP/1.1', ['range: bytes=0-1,5-']],
    sees: { headers: ['range: bytes=0-1,5-'] },
  },
  {
    name: 'chunks with extensions, and trailers',
    send: [
      'POST / HTTP/1.1',
      ['Transfer-Encoding: Chunked', 'Trailer: x-t'],
      '2;ext=1\r\nab\r\n0\r\nx-t: 1\r\n\r\n',
    ],
    sees: { body: 'ab', trailers: ['x-t: 1'] },
  },
  // RFC 9112, 2.5, 9.3: versions, connections.
  { name: 'HTTP/1.0', send: ['GET / HTTP/1.0'], gets: status, expected: 200 },
  {
    name: 'HTTP/1.0 with a body',
    send: ['POST / HTTP/1.0', ['Content-Length: 2'], 'ab'],
    gets: has('"body":"ab"'),
    expected: [],
  },
  {
    name: 'HTTP/1.0 gets no chunks',
    send: ['GET /as/trailers HTTP/1.0'],
    gets: text,
    expected: 'ok',
    differs: true,
  },
  {
    name: 'pipelining',
    send: ['GET /as/none HTTP/1.1\r\nHost: HOST\r\n\r\nGET /as/own HTTP/1.1'],
    gets: (answer) => answer.text.match(/^HTTP\/1.1 \d+/gm),
    options: { until: /ok$/ },
    expected: ['HTTP/1.1 204', 'HTTP/1.1 200'],
  },
  // RFC 9110, 15: answers.
  {
    name: 'headers of an answer',
    send: ['GET /as/own HTTP/1.1'],
    gets: has(
      'server: mine/1',
      'date: Thu, 01 Jan 2026',
      'x-mixed: A',
      'empty:',
      'x-latin: \xe9',
      'cookie: a=1',
      'cookie: b=2',
    ),
    expected: [],
  },
  {
    name: '103',
    send: ['GET /as/hints HTTP/1.1'],
    options: { until: /200 OK[\s\S]*ok/ },
    gets: (answer) => /^HTTP\/1.1 103 [\s\S]*link: <\/a.css>\r\n\r\nHTTP\/1.1 200/i.test(answer.text),
    expected: true,
  },
  {
    name: '204',
    send: ['GET /as/none HTTP/1.1'],
    options: { until: /\r\n\r\n/ },
    gets: (answer) => [status(answer), text(answer)],
    expected: [204, ''],
  },
  {
    name: '304 with a length',
    send: ['GET /as/same HTTP/1.1'],
    options: { until: /\r\n\r\n/ },
    gets: has('304', 'content-length: 5', 'etag: "x"'),
    expected: [],
  },
  { name: '299', send: ['GET /as/odd HTTP/1.1'], gets: status, expected: 299 },
  {
    name: 'trailers of an answer',
    send: ['GET /as/trailers HTTP/1.1'],
    gets: has('\r\n0\r\nx-t: 1\r\n\r\n'),
    expected: [],
  },
  {
    name: 'an answer that ends with its connection',
    send: ['GET /as/close HTTP/1.1'],
    gets: has('ok'),
    expected: [],
  },
  { name: '300 headers, 90 KiB', send: ['GET /as/large HTTP/1.1'], gets: has('x-299: v'), expected: [] },
  // RFC 9112, 6.3 and 11.2: what two servers may read differently is refused. So is what is no HTTP.
  ...(
    [
      ['two lengths', 400, ['Content-Length: 2', 'Content-Length: 3'], 'abc'],
      ['a length twice', 400, ['Content-Length: 2', 'Content-Length: 2'], 'ab'],
      ['a list of lengths', 400, ['Content-Length: 2, 2'], 'ab'],
      ['a signed length', 400, ['Content-Length: +2'], 'ab'],
      ['length and chunks', 400, ['Content-Length: 5', 'Transfer-Encoding: chunked'], '0\r\n\r\n'],
      ['another coding', 501, ['Transfer-Encoding: gzip, chunked'], '0\r\n\r\n'],
      ['an unknown coding', 501, ['Transfer-Encoding: xchunked'], '0\r\n\r\n'],
      ['a blank before the colon', 400, ['x-f : a'], ''],
      ['a control character', 400, ['x-f: a\x01b'], ''],
      ['two hosts', 404, ['Host: HOST'], ''],
    ] as const
  ).map(
    ([name, expected, headers, body]): Row => ({
      name: `refused: ${name}`,
      send: ['POST / HTTP/1.1', headers, body],
      gets: status,
      expected,
      differs: true,
    }),
  ),
  ...(
    [
      ['bytes that are not escaped', 400, 'GET /\xc3\xbc HTTP/1.1'],
      ['a fragment', 400, 'GET /a#b HTTP/1.1'],
      ['CONNECT', 404, 'CONNECT HOST:443 HTTP/1.1'],
      ['OPTIONS *', 404, 'OPTIONS * HTTP/1.1'],
    ] as const
  ).map(
    ([name, expected, line]): Row => ({
      name: `refused: ${name}`,
      send: [line],
      gets: status,
      expected,
      differs: true,
    }),
  ),
];

async function outcome(to: ListenAddress, host: string, row: Row): Promise<unknown> {
  const [line, headers = [], body = ''] = row.send;
  const head = [line, `Host: ${host}`, ...headers, ...(line.includes('/1.0') ? [] : ['Connection: close'])];
  const answer = await rawExchange(to, `${head.join('\r\n').replaceAll('HOST', host)}\r\n\r\n${body}`, {
    listenMs: 5_000,
    ...row.options,
  });
  if (row.gets !== undefined) return row.gets(answer);
  if (answer.status !== 200) return answer.text.slice(0, 500);
  const seen = JSON.parse(answer.rest.replace(/^[0-9a-f]+\r\n|\r\n0\r\n\r\n$/g, '')) as RawRequest;
  const wanted = row.sees?.headers?.map((header) => header.trimEnd());
  return {
    line: seen.line,
    ...(row.sees?.body === undefined ? {} : { body: seen.body }),
    ...(row.sees?.trailers === undefined ? {} : { trailers: seen.trailers }),
    ...(wanted === undefined
      ? {}
      : {
          headers: seen.headers.map((header) => header.trimEnd()).filter((header) => wanted.includes(header)),
        }),
  };
}

const places: readonly (readonly [string, ListenAddress, TestGroup])[] = [
  ['edge to a local instance', world.edge, near],
  ['edge to another IDC', world.edge, far],
  ['sidecar to a local instance', world.outbound, near],
  ['sidecar to another IDC', world.outbound, far],
];
for (const [, to, { name }] of places) {
  await until('the path is open', async () => (await get(to, '/', { host: `${name}.test` })).status === 200);
}

t.jobs = 8;
for (const row of rows) {
  t.test(row.name, async (t) => {
    const expected = row.gets
      ? row.expected
      : {
          line: row.send[0],
          ...row.sees,
          ...(row.sees?.headers ? { headers: row.sees.headers.map((header) => header.trimEnd()) } : {}),
        };
    const server: ListenAddress = { address: '127.0.0.1', port: (alone.address() as AddressInfo).port };
    if (!row.differs) t.strictSame(await outcome(server, 'near.test', row), expected, 'without a proxy');
    for (const [place, to, { name }] of places) {
      t.strictSame(await outcome(to, `${name}.test`, row), expected, place);
    }
  });
}

t.test('headers have limits, at edge and sidecar', async (t) => {
  const large = {
    name: '',
    send: ['GET /as/none HTTP/1.1', [`x-big: ${'v'.repeat(80_000)}`]],
    gets: status,
  } as const;
  const numerous = { name: '', send: ['GET /as/none HTTP/1.1', many(250)], gets: status } as const;
  for (const row of [large, numerous]) {
    const options = { until: /\r\n\r\n/ };
    for (const [place, to, { name }] of places) {
      t.equal(await outcome(to, `${name}.test`, { ...row, options }), 431, place);
    }
  }
});

t.test('HTTP/2: cookies are one line, and a malformed request ends its own stream', async (t) => {
  for (const [place, to, { name }] of places) {
    const session = connect(`http://${to.address}:${to.port}`);
    t.teardown(() => session.destroy());
    const ask = (headers: Record<string, string | string[]>) =>
      new Promise<string>((resolve) => {
        const stream = session.request({ ':path': '/', ':authority': `${name}.test`, ...headers });
        let body = '';
        stream.setEncoding('latin1').on('data', (part: string) => {
          body += part;
        });
        stream.on('end', () => resolve(body)).on('error', (error) => resolve(`error: ${error.message}`));
      });
    const cookies = await ask({ cookie: ['a=1', 'b=2'], user_id: '7' });
    t.match(cookies, /cookie: a=1; b=2/, place);
    t.match(cookies, /user_id: 7/, place);
    const [good, bad] = await Promise.all([ask({}), ask({ ':path': 'no-slash' })]);
    t.match(good, /GET \/ HTTP/, `${place}: the other stream`);
    t.notMatch(bad, /GET/, place);
    const numerous = Object.fromEntries(many(250).map((line) => line.split(': ')));
    t.match(await ask(numerous), /^error/, `${place}: too many headers reset the stream`);
    t.match(await ask({}), /GET \/ HTTP/, `${place}: and the connection goes on`);
  }
});

t.test('headers with instructions for Envoy are not trusted', async (t) => {
  const headers = [
    'x-envoy-retry-on: 5xx',
    'x-envoy-max-retries: 9',
    'x-envoy-upstream-rq-timeout-ms: 1',
    'x-envoy-internal: true',
    'x-envoy-foo: 1',
    'x-request-id: mine',
  ];
  for (const [place, to, { name }] of places) {
    const row: Row = { name: '', send: ['GET / HTTP/1.1', headers], gets: text };
    const seen = String(await outcome(to, `${name}.test`, row));
    t.notMatch(seen, /x-envoy-(?!external-address)/, place);
    t.match(seen, /x-request-id: mine/, `${place}: an id that the client gave stays`);
  }
});
