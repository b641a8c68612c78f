import t from 'tap';
import { serveAdmin } from '../../src/api/admin-server.ts';
import { type OperationId, operations } from '../../src/contract/operations.ts';
import { type RegisteringMesh, startRegisteringMesh, token } from '../support/planes/registering.ts';

// Who may do what at the admin address: each cell against a real server. What is open is written here by
// hand, so that a new operation has to be put into one of the two lists.

/** Open to whoever reaches the address. */
const open: readonly OperationId[] = [
  ...(['listPages', 'getLive', 'getReady', 'getStatus', 'getWho', 'getTop', 'explain'] as const),
  ...(['listEvents', 'awaitEvents', 'getServed', 'getNetwork', 'getSettings', 'getProblems'] as const),
  ...(['getConfig', 'getRegistry', 'getMetrics', 'listEvacuations', 'listDrains', 'getDrain'] as const),
  ...(['listRegistrations', 'getRegistration'] as const),
];

/** For who has the token: all that changes something, and what control planes copy from each other. */
const withToken: readonly OperationId[] = [
  ...(['checkToken', 'confirmDeletes', 'evacuate', 'renewEvacuation', 'endEvacuation'] as const),
  ...(['replicateEvacuations', 'drainInstance', 'undrainInstance', 'replicateDrains'] as const),
  ...(['register', 'renew', 'drain', 'resume', 'deregister', 'replicate'] as const),
];

/** Who asks: their headers. */
const outsiders: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  nobody: {},
  'an empty token': { authorization: 'Bearer ' },
  'the beginning of the token': { authorization: `Bearer ${token.slice(0, -1)}` },
  'the token and more': { authorization: `Bearer ${token}x` },
  'the token in capitals': { authorization: `Bearer ${token.toUpperCase()}` },
  'two tokens': { authorization: `Bearer x, Bearer ${token}` },
  'another scheme': { authorization: `Basic ${Buffer.from(`admin:${token}`).toString('base64')}` },
  'the token without a scheme': { authorization: token },
  'the token in a cookie': { cookie: `token=${token}` },
  'another header': { 'x-authorization': `Bearer ${token}`, 'proxy-authorization': `Bearer ${token}` },
};
const owner = { authorization: `Bearer ${token}` };

/** The status of an operation, asked for with these headers. */
async function statusOf(port: number, id: OperationId, headers: Readonly<Record<string, string>>) {
  const { method, path } = operations[id];
  const query = id === 'awaitEvents' ? '?after=0&wait=0s' : '';
  const url = `http://127.0.0.1:${port}${path.replaceAll(/\{\w+\}/g, 'x')}${query}`;
  const answer = await fetch(url, { method, headers, ...(method === 'PUT' ? { body: '{}' } : {}) });
  await answer.text();
  return answer.status;
}

/** What could have been changed. */
async function stateOf(mesh: RegisteringMesh): Promise<string> {
  const lists = ['listRegistrations', 'listEvacuations', 'listDrains'] as const;
  const answers = lists.map((id) => fetch(`http://127.0.0.1:${mesh.adminPort}${operations[id].path}`));
  const texts = await Promise.all((await Promise.all(answers)).map((one) => one.text()));
  // When it was asked is no state.
  return texts.join('\n').replaceAll(/"(?:at|leaseEndsIn)": "[^"]*"/g, '');
}

t.test('each operation is open, or for the token', async (t) => {
  t.strictSame([...open, ...withToken].sort(), Object.keys(operations).sort());
  for (const id of open) t.equal(operations[id].method, 'GET', `${id} only reads`);
});

t.test('what needs the token is refused to everybody without it, and changes nothing', async (t) => {
  const mesh = await startRegisteringMesh();
  t.teardown(() => mesh.close());
  const instance = { address: '10.0.0.1', ports: { http: 80 }, labels: { app: 'echo' }, ttl: '10m' };
  t.match(await mesh.api('PUT', '/x/x', instance), { status: 201 });
  const before = await stateOf(mesh);
  for (const [who, headers] of Object.entries(outsiders))
    for (const id of withToken) t.equal(await statusOf(mesh.adminPort, id, headers), 401, `${id}: ${who}`);
  t.equal(await stateOf(mesh), before, 'nothing has changed');
  for (const id of open)
    t.notOk([401, 403].includes(await statusOf(mesh.adminPort, id, {})), `${id}: open to everybody`);
  for (const id of withToken)
    t.notOk([401, 403].includes(await statusOf(mesh.adminPort, id, owner)), `${id}, the control: the owner`);
  t.not(await stateOf(mesh), before, 'the control: the owner has changed something');
});

t.test('without a token of its own a control plane takes no write from anybody', async (t) => {
  const mesh = await startRegisteringMesh();
  const off = await serveAdmin(mesh.plane, { address: '127.0.0.1', port: 0 }, undefined);
  t.teardown(async () => {
    await off.close();
    await mesh.close();
  });
  const registering = ['register', 'renew', 'drain', 'resume', 'deregister', 'replicate'];
  for (const headers of [owner, outsiders['an empty token'] ?? {}, {}])
    for (const id of withToken)
      t.equal(await statusOf(off.port, id, headers), registering.includes(id) ? 404 : 403, id);
  for (const id of withToken)
    t.notOk([401, 403].includes(await statusOf(mesh.adminPort, id, owner)), `${id}, the control: with one`);
});
