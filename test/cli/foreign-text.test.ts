import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import { dataText } from '../../src/cli/options/output.ts';
import { reasonsAgainst } from '../../src/cli/wait/reasons-against.ts';
import { runCli } from '../support/planes/run-cli.ts';

/** A title of a window, a cleared screen, C1 controls, a change of direction, a line separator. */
const evil = '\u001b]0;x\u0007\u001b[2J\u009b31m\u202egro\u2028';
/** What must not reach a terminal; lines end. */
const raw = /[\p{Cf}\p{Zl}\p{Zp}]|(?!\n)\p{Cc}/u;

/** A server that answers each path with this JSON, or lines of JSON. */
async function startServer(t: Test, answers: Readonly<Record<string, unknown>>) {
  const server = createServer(({ url = '' }, response) => {
    const answer = answers[url.replace(/\?.*/, '')] ?? {};
    const text = typeof answer === 'string' ? answer : JSON.stringify(answer);
    response.writeHead(200, { 'content-type': 'application/json' }).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return ['--admin', `127.0.0.1:${(server.address() as AddressInfo).port}`];
}

const proxy = { id: evil, role: 'sidecar', idc: evil, types: { [evil]: { state: evil } } };
const status = {
  ...{ idc: evil, ready: true, waitingFor: [], reasons: [], revision: 7, others: [], gone: [] },
  proxies: [proxy],
};
const event = {
  id: 1,
  at: evil,
  kind: 'gateway',
  phase: 'lost',
  node: evil,
  role: evil,
  peer: evil,
  by: evil,
};
const head = { node: evil, role: evil, idc: evil, streams: [], resources: 1 };
const resource = { type: evil, name: evil, state: evil, acked: evil };
const answers = {
  '/status': status,
  '/problems': [{ code: evil, severity: 'error', where: evil, path: evil, message: evil }],
  '/v1/events': { idc: evil, events: [event], last: 1, others: [], kept: 'disk', dropped: 0, isCut: false },
  '/v1/config/n': `${JSON.stringify(head)}\n${JSON.stringify(resource)}\n`,
};

t.test('what others say cannot control a terminal, whatever the command and the format', async (t) => {
  const admin = await startServer(t, answers);
  const asked = [['events'], ['config', 'show', 'n'], ['wait', '--timeout', '0s']];
  for (const command of asked)
    for (const format of ['wide', 'json', 'yaml']) {
      const { out, err } = await runCli(...command, ...admin, '-o', format);
      t.ok(`${out}${err}`.includes('x'), 'it is told');
      t.notMatch(`${out}${err}`, raw, `${command.join(' ')} -o ${format}`);
    }
});

t.test('data for programs is the same value', async (t) => {
  const value = { [evil]: [evil, `${evil}\n  ${evil}`, 'ü \u{1f642}\u200d', 'plain'], n: { a: 1, b: null } };
  const readers = { json: (text: string) => JSON.parse(text), yaml: (text: string) => parse(text) } as const;
  for (const format of ['json', 'yaml'] as const) {
    const text = dataText(value, format);
    t.notMatch(text, raw, format);
    t.strictSame(readers[format](text), value, format);
  }
});

t.test('an answer of a foreign server is told as one, not as a fault of Isthmus', async (t) => {
  const admin = await startServer(t, {
    '/v1/top': { hosts: [null], proxies: 1 },
    '/status': { proxies: [null], ready: true, waitingFor: [] },
    '/problems': [],
    '/v1/events': { events: 7, last: 1 },
  });
  const wrong =
    /^isthmus: 127\.0\.0\.1:\d+ is not the admin address .* answers (getTop|getStatus|listEvents) /;
  for (const command of [['top', '--for', '100ms'], ['status'], ['events'], ['wait', '--timeout', '0s']]) {
    const { code, out, err } = await runCli(...command, ...admin);
    t.match([code, out], [2, ''], command.join(' '));
    t.match(err, wrong);
    t.notMatch(err, /internal error/);
  }
});

t.test('a control plane that does not say its revision has not reached one', async (t) => {
  const old = { status: { ...status, revision: undefined, proxies: [] }, problems: [] } as never;
  t.strictSame(reasonsAgainst(4, 'a:1', old), [`${evil} at a:1 does not say its revision`]);
  const now = { status: { ...status, proxies: [] }, problems: [] } as never;
  t.strictSame([reasonsAgainst(7, 'a:1', now), reasonsAgainst(8, 'a:1', now).length], [[], 1]);
});
