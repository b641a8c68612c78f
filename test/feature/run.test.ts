import { join } from 'node:path';
import t from 'tap';
import { startPosting } from '../support/clients/posting.ts';
import { freeAddress, get, until } from '../support/mesh.ts';
import { idcYaml } from '../support/objects-yaml.ts';
import { startRegisteringMesh } from '../support/planes/registering.ts';
import { type RunProcess, runEcho, startIsthmus } from '../support/planes/run-instance.ts';

const mesh = await startRegisteringMesh({ 'far.yaml': idcYaml.replace('sh-a', 'sh-b') });
t.teardown(() => mesh.close());
const outbound = await freeAddress();
await mesh.envoy('caller', { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound });
const keepAlive = setInterval(() => {}, 1000);
t.teardown(() => clearInterval(keepAlive));

const running = new Set<RunProcess>();
t.teardown(() => {
  for (const { child } of running) child.kill('SIGKILL');
});

async function start(text: string, flags: readonly string[] = []): Promise<RunProcess> {
  const { port } = await freeAddress();
  const one = runEcho(mesh.adminPort, port, text, { flags });
  running.add(one);
  void one.ended.then(() => running.delete(one));
  await one.said(/every proxy has it/);
  return one;
}

const replacements = 3;

/**
 * Replaces the only instance some times under load: the next one is there before the last one is asked to go.
 */
async function replaceUnderLoad(flags: readonly string[]) {
  let now = await start('0', flags);
  await until('it serves', async () => (await get(outbound, '/', { host: 'echo.shop' })).status === 200);
  const loading = startPosting([outbound], { loops: 16, pauseMs: 0 });
  let cutOff = 0;
  for (let turn = 1; turn <= replacements; turn += 1) {
    const next = await start(String(turn), flags);
    await until('the next one serves', async () => {
      return (await get(outbound, '/', { host: 'echo.shop' })).body === String(turn);
    });
    now.child.kill('SIGTERM');
    await now.ended;
    cutOff += Number(/cut off: (\d+)/.exec(now.out())?.[1]);
    now = next;
  }
  const result = await loading.stop();
  now.child.kill('SIGTERM');
  await now.ended;
  return { ...result, cutOff };
}

t.test('a process is replaced without one failed request', async (t) => {
  const { sent, failed, cutOff } = await replaceUnderLoad([]);
  t.comment(`${sent} requests`);
  t.ok(sent > 50);
  t.strictSame(failed, []);
  t.equal(cutOff, 0, 'nothing was on its way to a process that got the signal');
});

t.test('the negative control: without waiting for the proxies requests fail', async (t) => {
  const { sent, failed, cutOff } = await replaceUnderLoad(['--no-wait']);
  t.comment(`${sent} requests, ${failed.length} failed, ${cutOff} cut off`);
  t.ok(failed.length > 0, 'requests failed');
});

t.test('the exit code and output are those of the command', async (t) => {
  const { port } = await freeAddress();
  const one = runEcho(mesh.adminPort, port, 'x', { status: 7, flags: ['--linger', '0s'] });
  await one.said(/registered shop\/echo-127-0-0-1-\d+/);
  const listed = startIsthmus(mesh.adminPort, ['instances', '-o', 'json']);
  await listed.ended;
  t.match(JSON.parse(listed.out()), [
    { name: `echo-127-0-0-1-${port}`, state: 'ready', ports: { http: port } },
  ]);
  one.child.kill('SIGTERM');
  t.equal(await one.ended, 7);
  t.match(one.out(), /cut off: 0/);
  await until('it is gone', async () => (await mesh.api('GET', '')).body.items.length === 0);
});

t.test('a command that was never healthy gets the signal at once', async (t) => {
  const { port } = await freeAddress();
  const args = ['run', '--group', 'echo', '--namespace', 'shop', '--port', String(port), '--linger', '1h'];
  const one = startIsthmus(mesh.adminPort, [...args, '--', 'sh', '-c', 'echo up; exec sleep 600']);
  await until('it runs', () => one.out().includes('up'));
  one.child.kill('SIGTERM');
  t.equal(await one.ended, 143);
});

t.test('a command ended by a signal: 128 + n, and deregistered at once', async (t) => {
  const args = ['run', '--group', 'echo', '--namespace', 'shop', '--port'];
  const app = await mesh.app((_, response) => response.end('x'));
  const one = startIsthmus(mesh.adminPort, [
    ...args,
    String(app.port),
    '--',
    'sh',
    '-c',
    'sleep 1; kill -9 $$',
  ]);
  await one.said(/registered/);
  t.equal(await one.ended, 137);
  t.match(one.err(), /SIGKILL/);
  await until('it is gone', async () => (await mesh.api('GET', '')).body.items.length === 0);
  const none = startIsthmus(mesh.adminPort, [...args, '1', '--', 'no-such-command']);
  t.equal(await none.ended, 127);
  t.match(none.err(), /CMD cannot be run: no-such-command: there is no such command/);
});

t.test('deregister --wait removes an instance that keeps running', async (t) => {
  const one = await start('still here');
  const out = startIsthmus(mesh.adminPort, [
    ...[
      'deregister',
      '--group',
      'echo',
      '--namespace',
      'shop',
      '--port',
      /-(\d+),/.exec(one.err())?.[1] ?? '',
    ],
    '--wait',
  ]);
  t.equal(await out.ended, 0, out.err());
  t.equal((await get(outbound, '/', { host: 'echo.shop' })).status, 503);
  t.equal(one.child.exitCode, null);
  one.child.kill('SIGTERM');
  t.equal(await one.ended, 0);
});

t.test('probable mistakes are reported: an unknown Group and port name', async (t) => {
  const { port } = await freeAddress();
  const flags = ['--group', 'ecko', '--port', `htp=${port}`];
  const one = runEcho(mesh.adminPort, port, 'x', { flags });
  await one.said(
    /warning: labels: no ServiceEntry in namespace shop selects it.* Did you mean 'app: echo'\?/,
  );
  // Where something selects it this is said within milliseconds.
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.notMatch(one.err(), /every proxy has it/);
  one.child.kill('SIGTERM');
  await one.ended;
  const labels = { app: 'echo' };
  const reply = await mesh.api('PUT', '/shop/named', { address: '127.0.0.1', ports: { htp: port }, labels });
  t.match(reply.body.warnings, [
    {
      severity: 'warning',
      path: 'ports.htp',
      message: /is named htp: it has http\..*Did you mean 'http'\?/,
    },
  ]);
  t.equal(reply.body.warnings.length, 1, 'without a locality it stands with its control plane');
  await mesh.api('DELETE', '/shop/named');
});

t.test('a registration in a namespace that nobody declares names the one that was meant', async (t) => {
  const one = { address: '127.0.0.1', ports: { http: 1 }, labels: { app: 'echo' } };
  t.match((await mesh.api('PUT', '/shopp/lost', one)).body.warnings, [
    { code: 'NotSelected', message: /One in namespace shop would: did you mean that namespace\?$/ },
  ]);
  await mesh.api('DELETE', '/shopp/lost');
});

t.test('a registration for another IDC gets a warning that nobody there learns of it', async (t) => {
  const one = { address: '127.0.0.1', ports: { http: 1 }, labels: { app: 'echo' } };
  const warnings = async (locality: string) =>
    (await mesh.api('PUT', '/shop/elsewhere', { ...one, locality })).body.warnings;
  t.match(await warnings('sh-b/z1'), [
    { path: 'locality', message: /is in IDC sh-b, and this control plane decides for sh-a/ },
  ]);
  t.match(await warnings('sh-c'), [{ path: 'locality', message: /no Idc is named 'sh-c'/ }]);
  t.strictSame(await warnings('sh-a/z1'), []);
  await mesh.api('DELETE', '/shop/elsewhere');
});

t.test('a wrong token is reported, and nothing else', async (t) => {
  const app = await mesh.app((_, response) => response.end('x'));
  const one = startIsthmus(mesh.adminPort, [
    ...['run', '--group', 'echo', '--port', String(app.port), '--namespace', 'shop'],
    ...['--token-file', join(t.testdir({ token: 'another token of tests' }), 'token'), '--', 'sleep', '60'],
  ]);
  t.equal(await one.ended, 2);
  const lines = one.err().trim().split('\n');
  t.equal(lines.length, 1, one.err());
  t.match(lines[0], /isthmus run: the token is wrong: .* \(HTTP 401\): CMD is ended/);
});

t.test('a refused registration reports every fault, and CMD is ended', async (t) => {
  const app = await mesh.app((_, response) => response.end('x'));
  const one = startIsthmus(mesh.adminPort, [
    ...['run', '--group', 'echo', '--port', String(app.port), '--namespace', 'Shop', '--label', 'a b=c'],
    ...['--', 'sleep', '60'],
  ]);
  t.equal(await one.ended, 2);
  t.match(one.err(), /'Shop' is not a namespace.*labels.*is not a label key/);
});
