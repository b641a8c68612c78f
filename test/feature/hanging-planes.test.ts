import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { askStatus } from '../../src/client/status-client.ts';
import { askServed } from '../../src/client/who-client.ts';
import { type ListenAddress, showAddress } from '../../src/model/values/listen-address.ts';
import { createPlanes } from '../support/planes/planes.ts';
import { runCli } from '../support/planes/run-cli.ts';

// Commands that ask a control plane which stands still (SIGSTOP): its kernel goes on taking connections.
const { planes, close } = await createPlanes(2, { files: {}, peers: false });
t.teardown(close);
const [hung, well] = planes;
for (const plane of planes) plane.start();
await Promise.all(planes.map((plane) => plane.ready()));
await hung.kill('SIGSTOP');
const at = showAddress(hung.admin);
const both = `${at},${showAddress(well.admin)}`;
const why = 'does not answer: it accepts connections and has not answered for';
const words = new RegExp(`the control plane at ${at} ${why} ([\\d.]+) s: it hangs \\(.*\\)`);

t.test('every command says the same of it', { timeout: 300_000 }, async (t) => {
  const alone = [
    ...[['status'], ['version'], ['events'], ['instances'], ['evacuations'], ['config', 'x'], ['check']],
    ...[['top'], ['who', 'one.test'], ['wait', '--timeout', '2s'], ['drain', 'shop/x']],
    ['explain', '--from', 'sh-a/x', '--host', 'one.test'],
  ];
  for (const [command = '', ...args] of alone) {
    const { code, out, err } = await runCli(command, ...args, '--admin', at);
    t.equal(code, 2, command);
    t.match(`${out}${err}`, words, command);
    t.notMatch(`${out}${err}`, /Give its address with --admin|Is it running/, command);
  }
});

t.test('beside one that is well it costs one limit, once', { timeout: 300_000 }, async (t) => {
  const commands = [['status'], ['events'], ['who', 'one.test', '--for', '0s'], ['instances']];
  for (const [command = '', ...args] of commands) {
    const { out, err } = await runCli(command, ...args, '--admin', both, '--all-idcs');
    const said = [...`${out}${err}`.matchAll(new RegExp(words, 'g'))];
    t.equal(said.length, 1, command);
    t.equal(Number(said[0]?.[1]) < 10, true, `${command}: ${said[0]?.[0]}`);
  }
});

t.test('the time limit of isthmus wait bounds its questions', { timeout: 300_000 }, async (t) => {
  const { err } = await runCli('wait', '--timeout', '1500ms', '--admin', at);
  const [, seconds] = words.exec(err) ?? [];
  t.ok(Number(seconds) >= 1.5 && Number(seconds) < 3, err);
  // The control: with more time the limit of silence ends a question.
  const more = await runCli('wait', '--timeout', '5s', '--admin', at);
  t.ok(Number(words.exec(more.err)?.[1]) >= 3, more.err);
});

t.test('one that answers late, but gives a sign of life, is waited for', { timeout: 300_000 }, async (t) => {
  const { listen, asked } = await startSlow(t, 5_000);
  t.match(await askServed(listen), { idc: 'sh-a' });
  t.ok(
    asked.some((path) => path === '/livez'),
    asked.join(),
  );
  await t.rejects(askStatus(listen, 500), { code: 'unavailable' }, 'not beyond the time that there is');
});

/** A server that answers for its life at once, and anything else after this time. */
async function startSlow(t: Test, ms: number): Promise<{ listen: ListenAddress; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer(({ url = '' }, response) => {
    asked.push(url);
    if (url === '/livez') response.end('ok\n');
    else setTimeout(() => response.end('{"idc": "sh-a", "groups": 0, "notHere": []}'), ms).unref();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { listen: { address: '127.0.0.1', port: (server.address() as AddressInfo).port }, asked };
}
