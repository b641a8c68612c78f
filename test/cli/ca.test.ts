import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { readTrustFolder } from '../../src/trust/trust-folder.ts';
import { until } from '../support/mesh.ts';
import { runCli, startCli } from '../support/planes/run-cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'isthmus-ca-cli-'));
t.teardown(() => rmSync(folder, { recursive: true }));
const dir = join(folder, 'ca');
const id = 'spiffe://sh-a.example/idc/sh-a/sidecar/caller-1';

t.test('an authority is made, serves, and gives an identity its certificate', async (t) => {
  const made = await runCli('ca', 'init', '--dir', dir, '--idc', 'sh-a', '--trust-domain', 'sh-a.example');
  t.match(made, { code: 0, out: /authority of sh-a.*\nroot sha256:[0-9a-f]{64}\n/ });
  t.match(await runCli('ca', 'init', '--dir', dir, '--idc', 'sh-a', '--trust-domain', 'sh-a.example'), {
    code: 2,
    err: /is there already/,
  });
  const server = startCli('ca', 'serve', '--dir', dir, '--listen', '127.0.0.1:0');
  t.teardown(() => server.child.kill('SIGKILL'));
  let ca = '';
  await until('it serves', () => {
    ca = /"ca":"(127\.0\.0\.1:\d+)"/.exec(server.err())?.[1] ?? '';
    return ca !== '';
  });
  const token = await runCli('ca', 'token', '--dir', dir, '--id', id);
  t.match(token, { code: 0, out: /^isthmus-join\.[0-9a-f]{16}\.[\w-]{43}\n$/, err: /^--ca-hash sha256:/ });
  const tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, token.out);
  const pin = token.err.trim().split(' ')[1] ?? '';
  const own = join(folder, 'caller-1');
  const args = ['identity', '--dir', own, '--ca', ca, '--id', id, '--once'];
  t.match(await runCli(...args), { code: 2, err: /isthmus ca token --id/ });
  t.match(await runCli(...args, '--token-file', tokenFile), { code: 2, err: /needs --ca-hash/ });
  t.match(await runCli(...args, '--token-file', tokenFile, '--ca-hash', pin), { code: 0 });
  t.match(readTrustFolder(own, Date.now())?.own.identity, { name: 'caller-1' });
  t.equal(statSync(join(own, 'cur', 'key.pem')).mode & 0o777, 0o600);
  t.match(await runCli('ca', 'list', '--dir', dir), { code: 0, out: /sidecar\/caller-1 +1 +\d/ });
  const steps = { start: 0, status: 0, finish: 2 };
  for (const [step, code] of Object.entries(steps))
    t.match(await runCli('ca', 'rotate', step, '--dir', dir), { code }, step);
  t.match(await runCli('ca', 'revoke', '--dir', dir, '--id', id), { code: 0 });
  t.match(await runCli('ca', 'list', '--dir', dir), { out: /REVOKED/ });
  server.child.kill('SIGTERM');
  t.match(await server.end, { code: 0 });
  t.notOk(server.err().includes(token.out.trim().split('.')[2] ?? ''), 'the token is not logged');
});

t.test('what is wrong is said before anything is done', async (t) => {
  t.match(await runCli('ca', 'list', '--dir', join(folder, 'none')), { code: 2, err: /isthmus ca init/ });
  t.match(await runCli('ca', 'token', '--dir', dir, '--id', 'spiffe://x/y'), {
    code: 2,
    err: /write spiffe:/,
  });
  const other = 'spiffe://sh-b.example/idc/sh-b/sidecar/x';
  t.match(await runCli('ca', 'token', '--dir', dir, '--id', other), {
    code: 2,
    err: /this authority is for/,
  });
});
