import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { createApiClient, refusalOf } from '../../src/client/api-client.ts';
import { askConfig } from '../../src/client/config-client.ts';
import { askRegistry } from '../../src/client/registry-client.ts';
import { askNode, askProblems, askStatus } from '../../src/client/status-client.ts';
import { contract } from '../../src/contract/contract.ts';
import { answerSigns, mayAnswer, type OperationId } from '../../src/contract/operations.ts';
import { startRegisteringMesh, token } from '../support/planes/registering.ts';

const address = '127.0.0.1';
const timeoutMs = 5_000;

/** A server that answers as it is told. */
async function startServer(t: Test, listener: RequestListener) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { address, port: (server.address() as AddressInfo).port };
}

t.test('operations are called as their contract has them', async (t) => {
  const mesh = await startRegisteringMesh();
  const client = createApiClient({ admin: { address, port: mesh.adminPort }, token });
  t.teardown(async () => {
    await client.close();
    await mesh.close();
  });
  const path = { namespace: 'shop', name: 'a' };
  const body = { address: '10.0.0.1', ports: { http: 80 }, labels: { app: 'echo' }, generation: 7 };
  t.match(await client.call('register', { path, body, timeoutMs }), {
    ...{ isRefused: false, status: 201 },
    body: { ...path, generation: 7, state: 'ready' },
  });
  t.match(await client.call('renew', { path, query: { generation: 7 }, timeoutMs }), { status: 200 });
  const other = { path: { namespace: 'a/b', name: '%&?' }, timeoutMs };
  t.match(await client.call('getRegistration', other), { status: 404, detail: /a\/b\/%&\? does not exist$/ });
  const older = await client.call('register', { path, body: { ...body, generation: 6 }, timeoutMs });
  t.match(older, { isRefused: true, status: 409, generation: 7 });
  const query = { wait: 'acked', timeout: '10s' } as const;
  t.match(await client.call('deregister', { path, query, timeoutMs }), {
    body: { was: 'ready', state: 'gone' },
  });
  t.match(await client.call('listRegistrations', { query: { namespace: undefined }, timeoutMs }), {
    status: 200,
  });
});

t.test('signs of answers are what each answer must have', async (t) => {
  for (const [id, { answers }] of Object.entries(contract)) {
    for (const answer of Object.values(answers) as {
      schema?: { safeParse(value: unknown): { success: boolean } };
    }[]) {
      const signs = answerSigns[id as OperationId];
      // Of the status of one proxy or of all its client knows which it asked for.
      if (answer.schema === undefined || id === 'getStatus') {
        t.equal(signs, undefined, id);
        continue;
      }
      const faults = (value: unknown) => JSON.stringify(answer.schema?.safeParse(value));
      if (signs === 'list') t.notMatch(faults([]), 'expected array', id);
      else
        for (const sign of signs ?? ['none']) t.match(faults({}), `\\"${sign}\\"`, `${id} must have ${sign}`);
    }
  }
});

t.test('a foreign server is told from a control plane', async (t) => {
  for (const text of ['{}', 'null', '[]', '"text"', '3', '{"status": "ok"}', '[{}]']) {
    const admin = await startServer(t, (_, response) => response.end(text));
    const client = createApiClient({ admin, token });
    t.teardown(() => client.close());
    const path = { namespace: 'shop', name: 'a', host: 'a', node: 'a' };
    for (const [id, signs] of Object.entries(answerSigns)) {
      if (signs === 'list' && text.startsWith('[')) continue;
      const asked = client.call(id as 'deregister', { path, timeoutMs });
      await t.rejects(
        asked,
        { code: 'unavailable', message: /not the admin address of a control plane/ },
        `${id} ${text}`,
      );
    }
    const fault = { code: 'unavailable', message: /not the admin address of a control plane/ };
    await t.rejects(askStatus(admin), fault, text);
    if (!text.startsWith('[')) await t.rejects(askProblems(admin), fault, text);
    await t.rejects(askConfig(admin, 'a', { contents: false }), fault, text);
  }
  const cut = await startServer(t, (_, response) => response.end('[[['));
  const fault = { code: 'unavailable', message: /not the admin address of a control plane/ };
  for (const asked of [askStatus(cut), askProblems(cut), askRegistry(cut)])
    await t.rejects(asked as Promise<unknown>, fault);
  t.ok(mayAnswer('getMetrics', undefined), 'text is not looked at');
});

t.test('a control plane of version 0.1.0 is understood', async (t) => {
  const admin = await startServer(t, ({ url = '' }, response) => {
    if (url.startsWith('/status')) response.writeHead(404).end("no node 'x' is connected; none is\n");
    else
      response
        .writeHead(409, { 'content-type': 'application/json' })
        .end(JSON.stringify({ error: 'conflict', message: 'a newer life has the name', generation: 9 }));
  });
  const client = createApiClient({ admin, token });
  t.teardown(() => client.close());
  const refused = await client.call('renew', { path: { namespace: 'shop', name: 'a' }, timeoutMs });
  t.match(refused, { isRefused: true, status: 409, generation: 9 });
  if (refused.isRefused) t.equal(refusalOf(refused), 'a newer life has the name (HTTP 409)');
  await t.rejects(askNode(admin, 'x'), { code: 'not-found', message: "no node 'x' is connected; none is" });
});

t.test('an address that is not a control plane is reported as such', async (t) => {
  const admin = await startServer(t, (_, response) => response.writeHead(404).end('<html>'));
  const client = createApiClient({ admin, token });
  t.teardown(() => client.close());
  const fault = { code: 'unavailable', message: /not the admin address of a control plane/ };
  await t.rejects(client.call('listEvacuations', { timeoutMs }), fault);
  await t.rejects(askNode(admin, 'x'), fault);
});

t.test('a limit that a control plane reports is passed on unchanged', async (t) => {
  const detail = '100 requests of this address are waiting: ask less often';
  const problem = {
    type: 'tag:isthmus.dev,2026:exhausted',
    title: 'A limit is reached',
    status: 429,
    detail,
  };
  const admin = await startServer(t, (_, response) => response.writeHead(429).end(JSON.stringify(problem)));
  await t.rejects(askNode(admin, 'x'), { code: 'unavailable', message: detail });
});

t.test('a refusal that quotes the request does not show the token', async (t) => {
  const admin = await startServer(t, ({ headers }, response) => {
    response.writeHead(401, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ detail: `not allowed: ${headers.authorization}` }));
  });
  const client = createApiClient({ admin, token: 'planted-secret' });
  t.teardown(() => client.close());
  const reply = await client.call('listDrains', { query: {}, timeoutMs });
  t.match(reply, { isRefused: true, detail: 'not allowed: Bearer (the token)' });
});
