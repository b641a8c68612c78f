import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import type { Logger } from '../../src/base/log.ts';
import { seededRandom } from '../../src/base/random.ts';
import { parseIdentity } from '../../src/model/values/identity.ts';
import { Authority, initAuthority } from '../../src/trust/ca/authority.ts';
import { serveCa } from '../../src/trust/ca/ca-server.ts';
import { IdentityKeeper, type IdentityKeeperOptions } from '../../src/trust/keep/identity-keeper.ts';
import { readTrustFolder } from '../../src/trust/trust-folder.ts';
import { until } from '../support/mesh.ts';

const uri = (name: string) => `spiffe://sh-a.example/idc/sh-a/sidecar/${name}`;
const now = () => systemClock.wall();

interface Line {
  readonly level: string;
  readonly message: string;
}

/** An authority that serves, with short-lived leaves, and identities that are kept. */
async function serve(t: Test, leafMs = 24 * 3_600_000) {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-keeper-'));
  const dir = join(folder, 'ca');
  await initAuthority(dir, { idc: 'sh-a', trustDomain: 'sh-a.example', leafMs, rootDays: 30 }, now());
  const authority = new Authority(dir);
  const lines: Line[] = [];
  const note = (level: string) => (message: string, fields?: object) =>
    void lines.push({ level, message: `${message} ${JSON.stringify(fields ?? {})}` });
  const logger: Logger = { debug() {}, info: note('info'), warn: note('warn'), error: note('error') };
  const start = (port = 0) =>
    serveCa({
      ...{ folder: dir, listen: { address: '127.0.0.1', port }, clock: systemClock, logger },
      ...{ settleMs: 200, lookMs: 50 },
    });
  let server = await start();
  const stops: (() => Promise<void>)[] = [];
  t.teardown(async () => {
    for (const stop of stops) await stop();
    await server.close();
    authority.close();
    rmSync(folder, { recursive: true });
  });
  const optionsOf = (name: string, more: Partial<IdentityKeeperOptions> = {}): IdentityKeeperOptions => ({
    ...{ folder: join(folder, name), identity: parseIdentity(uri(name)), pollMs: 100, clock: systemClock },
    access: {
      ca: { address: '127.0.0.1', port: server.port },
      trustDomain: 'sh-a.example',
      idc: 'sh-a',
      clock: systemClock,
    },
    ...{ pin: authority.status(now()).pin, random: seededRandom(1), logger },
    token: () => undefined,
    ...more,
  });
  return {
    ...{ folder, authority, lines, optionsOf },
    port: () => server.port,
    token: (name: string) => authority.makeToken(uri(name), 60_000, now()),
    run(keeper: IdentityKeeper) {
      const stop = new AbortController();
      const end = keeper.run(stop.signal);
      stops.push(() => {
        stop.abort();
        return end;
      });
    },
    held: (name: string) => readTrustFolder(join(folder, name), now()),
    close: () => server.close(),
    async reopen() {
      server = await start(server.port);
    },
  };
}

t.test('an identity joins with its token, once, and has a certificate', async (t) => {
  const ca = await serve(t);
  const token = ca.token('one');
  await new IdentityKeeper(ca.optionsOf('one', { token: () => token })).obtain();
  t.match(ca.held('one')?.own.identity, { name: 'one', role: 'sidecar' });
  const again = new IdentityKeeper(ca.optionsOf('two', { token: () => token }));
  await t.rejects(again.obtain(), { code: 'forbidden', message: /used for another key/ });
  const none = new IdentityKeeper(ca.optionsOf('three'));
  await t.rejects(none.obtain(), {
    message: /isthmus ca token --id spiffe:\/\/sh-a.example\/idc\/sh-a\/sidecar\/three/,
  });
  t.notOk(existsSync(join(ca.folder, 'two', 'cur')));
});

t.test('a token of another identity is not taken for the own', async (t) => {
  const ca = await serve(t);
  const token = ca.token('other');
  const keeper = new IdentityKeeper(ca.optionsOf('one', { token: () => token }));
  await t.rejects(keeper.obtain(), { code: 'forbidden', message: /issued .*other/ });
  t.equal(ca.held('one'), undefined);
});

t.test('another authority is not believed, even if it answers at the address', async (t) => {
  const [own, other] = [await serve(t), await serve(t)];
  const token = own.token('one');
  const ca = { address: '127.0.0.1', port: other.port() };
  const access = { ca, trustDomain: 'sh-a.example', idc: 'sh-a', clock: systemClock };
  const keeper = new IdentityKeeper(own.optionsOf('one', { token: () => token, access }));
  await t.rejects(keeper.obtain(), { code: 'forbidden', message: /has no root sha256/ });
  const right = new IdentityKeeper(own.optionsOf('one', { token: () => token }));
  await right.obtain();
  t.ok(own.held('one'), 'the control: the own, with the same token');
});

t.test('a certificate is renewed at half of its life, with a new key, and no token', async (t) => {
  const ca = await serve(t, 4_000);
  let token: string | undefined = ca.token('one');
  ca.run(new IdentityKeeper(ca.optionsOf('one', { token: () => token })));
  await until('it has joined', () => ca.held('one') !== undefined);
  token = undefined;
  // Valid for 64 s, a minute of it before it was made: renewed at once, then again.
  const first = ca.held('one');
  await until('it has another', () => ca.held('one')?.own.x509.serialNumber !== first?.own.x509.serialNumber);
  t.not(ca.held('one')?.files.key, first?.files.key);
  t.ok(ca.lines.some(({ message }) => message.startsWith('renewed ')));
});

t.test('while the authority is away all stays, and is said; then it goes on', async (t) => {
  const ca = await serve(t, 3_600_000);
  const token = ca.token('one');
  ca.run(new IdentityKeeper(ca.optionsOf('one', { token: () => token })));
  await until('it has joined', () => ca.held('one') !== undefined);
  await ca.close();
  await until('it is said', () =>
    ca.lines.some(({ message }) => /the certificate stays .*cannot be asked/.test(message)),
  );
  t.ok(ca.held('one'));
  await ca.reopen();
  await ca.authority.startRotation(now());
  await until('it has the new root', () => ca.held('one')?.bundle.roots.length === 2);
});

t.test('a root is replaced under identities that are kept, and the old one goes', async (t) => {
  const ca = await serve(t, 3_600_000);
  for (const name of ['one', 'two']) {
    const token = ca.token(name);
    ca.run(new IdentityKeeper(ca.optionsOf(name, { token: () => token })));
  }
  await until('both have joined', () => ['one', 'two'].every((name) => ca.held(name) !== undefined));
  const before = ca.held('one')?.own.x509.serialNumber;
  await ca.authority.startRotation(now());
  t.throws(() => ca.authority.finishRotation(now()), { code: 'conflict' });
  await until('nobody needs the old root', () => {
    const { phase, waitingFor } = ca.authority.status(now()).rotation;
    return phase === 'renewing' && waitingFor.length === 0;
  });
  ca.authority.finishRotation(now());
  await until('both have the new root alone', () =>
    ['one', 'two'].every((name) => ca.held(name)?.bundle.roots.length === 1),
  );
  t.not(ca.held('one')?.own.x509.serialNumber, before);
  t.equal(ca.held('one')?.bundle.hash, ca.authority.status(now()).bundle.hash);
});

t.test('the end of a certificate is told before, and a new token heals it', async (t) => {
  const ca = await serve(t, 2_000);
  let token: string | undefined = ca.token('one');
  await new IdentityKeeper(ca.optionsOf('one', { token: () => token })).obtain();
  token = undefined;
  await ca.close();
  ca.run(new IdentityKeeper(ca.optionsOf('one', { token: () => token })));
  const isTold = (words: RegExp) => () =>
    ca.lines.some(({ level, message }) => level === 'error' && words.test(message));
  await until('it is told before', isTold(/EXPIRES SOON/));
  await until('it is told after', isTold(/HAS EXPIRED: only a new token helps/));
  await ca.reopen();
  token = ca.token('one');
  await until('it is back', () => (ca.held('one')?.own.notAfter ?? 0) > now());
});

t.test(
  'an identity that was revoked joins again with a new token, before its certificate ends',
  async (t) => {
    const ca = await serve(t);
    let token: string | undefined = ca.token('one');
    const keeper = new IdentityKeeper(ca.optionsOf('one', { token: () => token }));
    await keeper.obtain();
    const first = ca.held('one')?.own.x509.serialNumber;
    ca.authority.revoke(uri('one'), now());
    ca.run(keeper);
    const words = /was revoked: join with a new token; and with the token: .*unknown/;
    await until('it is told', () => ca.lines.some(({ message }) => words.test(message)));
    t.equal(ca.held('one')?.own.x509.serialNumber, first, 'it stays in force meanwhile');
    token = ca.token('one');
    await until('it has another one', () => ca.held('one')?.own.x509.serialNumber !== first);
  },
);

t.test('what is asked without a certificate, or wrongly, is refused in words', async (t) => {
  const ca = await serve(t);
  const post = (path: string, body: string) =>
    new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
      const sent = request(
        { host: '127.0.0.1', port: ca.port(), method: 'POST', path, rejectUnauthorized: false, agent: false },
        (response) => {
          let text = '';
          response.on('data', (piece) => (text += piece));
          response.on('end', () => resolve({ status: response.statusCode, text }));
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });
  t.match(await post('/v1/renew', '{"request":"x"}'), { status: 403, text: /valid certificate/ });
  t.match(await post('/v1/seen', '{"bundle":"x"}'), { status: 403 });
  t.match(await post('/v1/join', '{"token":"x","request":"y"}'), { status: 403, text: /unknown/ });
  t.match(await post('/v1/join', '{'), { status: 400 });
  t.match(await post('/v1/join', '{}'), { status: 400, text: /no token/ });
  t.match(await post('/v1/other', '{}'), { status: 404 });
  t.match(await post('/v1/join', 'x'.repeat(20_000)), { status: 503 });
});

t.test('no key and no token is in what is logged', async (t) => {
  const ca = await serve(t);
  const token = ca.token('one');
  await new IdentityKeeper(ca.optionsOf('one', { token: () => token })).obtain();
  const all = ca.lines.map(({ message }) => message).join('\n');
  t.match(all, /joined/);
  const key = readFileSync(join(ca.folder, 'one', 'cur', 'key.pem'), 'utf8');
  for (const secret of [token, token.split('.')[2] ?? '', 'PRIVATE', key.split('\n')[1] ?? ''])
    t.notOk(all.includes(secret));
});
