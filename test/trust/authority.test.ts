import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Authority, initAuthority } from '../../src/trust/ca/authority.ts';
import { makeRequest } from '../../src/trust/ca/issue.ts';
import { parseX509, readCertificate } from '../../src/trust/certificate.ts';

const uri = (name: string, role = 'sidecar') => `spiffe://sh-a.example/idc/sh-a/${role}/${name}`;
const hourMs = 3_600_000;
const facts = { idc: 'sh-a', trustDomain: 'sh-a.example', leafMs: 24 * hourMs, rootDays: 30 };

/** An authority, and its time, which a test sets. */
async function make(t: Test, settleMs = 30_000) {
  const folder = join(mkdtempSync(join(tmpdir(), 'isthmus-ca-')), 'ca');
  const start = Math.floor(Date.now() / 1000) * 1000;
  await initAuthority(folder, facts, start);
  const authority = new Authority(folder, settleMs);
  t.teardown(() => {
    authority.close();
    rmSync(join(folder, '..'), { recursive: true });
  });
  /** Joins, as `isthmus identity` does. */
  async function join_(name: string, now: number) {
    const { request } = await makeRequest();
    const { certificate } = await authority.join(authority.makeToken(uri(name), 60_000, now), request, now);
    return { name, certificate };
  }
  const shown = (pem: string) => new Uint8Array(parseX509(pem).raw);
  const see = (certificate: string, now: number) =>
    authority.see({ certificate: shown(certificate), bundle: authority.status(now).bundle.hash }, now);
  return { folder, start, authority, join: join_, shown, see };
}

t.test('a token lets one identity join, once, and the same key again', async (t) => {
  const { authority, start } = await make(t);
  const token = authority.makeToken(uri('one'), 60_000, start);
  const { request } = await makeRequest();
  const first = await authority.join(token, request, start);
  t.match(readCertificate(first.certificate).identity, { name: 'one', role: 'sidecar', idc: 'sh-a' });
  t.equal((await authority.join(token, request, start + 1_000)).certificate, first.certificate);
  const other = await makeRequest();
  await t.rejects(authority.join(token, other.request, start), { code: 'forbidden', message: /another key/ });
  await t.rejects(authority.join(token, request, start + 60_000), { code: 'forbidden', message: /expired/ });
});

t.test('two keys at once: one of them joins', async (t) => {
  const { authority, start } = await make(t);
  const token = authority.makeToken(uri('one'), 60_000, start);
  const requests = await Promise.all([makeRequest(), makeRequest(), makeRequest()]);
  const ends = await Promise.allSettled(requests.map(({ request }) => authority.join(token, request, start)));
  t.strictSame(ends.map(({ status }) => status).sort(), ['fulfilled', 'rejected', 'rejected']);
});

t.test('a token that is unknown or changed is refused, and none is stored as it is', async (t) => {
  const { authority, start, folder } = await make(t);
  const token = authority.makeToken(uri('one'), 60_000, start);
  const { request } = await makeRequest();
  const last = token.at(-1) === 'A' ? 'B' : 'A';
  const wrong = [
    '',
    'x',
    `${token.slice(0, -2)}${last}${last}`,
    token.replace(/\.[0-9a-f]{16}\./, `.${'0'.repeat(16)}.`),
  ];
  for (const one of wrong)
    await t.rejects(authority.join(one, request, start), { code: 'forbidden', message: /unknown/ }, one);
  const secret = token.split('.')[2] ?? '';
  for (const file of ['ca.db', 'ca.db-wal']) t.notOk(readFileSync(join(folder, file)).includes(secret), file);
  t.ok(await authority.join(token, request, start), 'the control: the token itself');
});

t.test('tokens are for identities of this authority alone', async (t) => {
  const { authority, start } = await make(t);
  for (const one of [
    'spiffe://sh-b.example/idc/sh-a/sidecar/x',
    'spiffe://sh-a.example/idc/sh-b/sidecar/x',
    uri('ca', 'ca'),
  ])
    t.throws(() => authority.makeToken(one, 60_000, start), { code: 'invalid' }, one);
});

t.test('renewal is by a valid certificate, until it is revoked', async (t) => {
  const { authority, start, join, shown } = await make(t);
  const { certificate } = await join('one', start);
  const { request } = await makeRequest();
  const next = await authority.renew(shown(certificate), request, start + 12 * hourMs);
  t.equal(readCertificate(next.certificate).notAfter, start + 36 * hourMs);
  await t.rejects(authority.renew(shown(certificate), request, start + 24 * hourMs), { code: 'forbidden' });
  const other = await make(t);
  const foreign = await other.join('one', start);
  await t.rejects(authority.renew(shown(foreign.certificate), request, start), { message: /not valid here/ });
  authority.revoke(uri('one'), start);
  await t.rejects(authority.renew(shown(next.certificate), request, start + 13 * hourMs), {
    message: /revoked/,
  });
  t.ok(await join('one', start), 'a new token lets it join again');
});

t.test('who has copied a key gets nothing when its owner has joined again', async (t) => {
  const { authority, start, join, see, shown } = await make(t);
  const { certificate: copied } = await join('one', start);
  const { request } = await makeRequest();
  t.ok(await authority.renew(shown(copied), request, start + 1_000), 'the control: until it is revoked');
  const open = authority.makeToken(uri('one'), hourMs, start);
  const revokedAt = start + 10_500;
  authority.revoke(uri('one'), revokedAt);
  const unknown = { code: 'forbidden', message: /unknown/ };
  await t.rejects(authority.join(open, request, revokedAt), unknown, 'a token from before');
  const token = authority.makeToken(uri('one'), hourMs, revokedAt + 100);
  const revoked = { code: 'forbidden', message: /revoked/ };
  await t.rejects(authority.renew(shown(copied), request, revokedAt + 200), revoked, 'a token alone');
  const owner = await authority.join(token, request, revokedAt + 300);
  await t.rejects(authority.renew(shown(copied), request, start + 20_000), revoked, 'the owner is back');
  t.throws(() => see(copied, start + 20_000), revoked);
  t.ok(see(owner.certificate, start + 20_000), 'the owner, who joined within the same second');
  t.match(authority.status(start + 20_000).leaves, [{ revokedAt: null }]);
  t.ok(await authority.renew(shown(owner.certificate), request, start + 20_000));
});

t.test('a revocation while a renewal is signed stays', async (t) => {
  const { authority, start, join, shown } = await make(t);
  const { certificate } = await join('one', start);
  const { request } = await makeRequest();
  const renewal = authority.renew(shown(certificate), request, start + 5_000);
  authority.revoke(uri('one'), start + 5_000);
  await t.rejects(renewal, { code: 'forbidden', message: /revoked/ });
  t.match(authority.status(start + 5_000).leaves, [{ revokedAt: start + 5_000 }]);
});

t.test('a key of a root that others may read is not used', async (t) => {
  const { authority, folder, start, join: joins } = await make(t);
  const file = join(folder, 'root-1.key');
  t.equal(statSync(file).mode & 0o777, 0o600);
  t.equal(statSync(folder).mode & 0o777, 0o700);
  t.equal(statSync(join(folder, 'ca.db')).mode & 0o777, 0o600);
  chmodSync(file, 0o640);
  await t.rejects(joins('one', start), { code: 'forbidden', message: /mode 0640/ });
  t.equal(authority.status(start).leaves.length, 0);
  chmodSync(file, 0o600);
  t.ok(await joins('one', start), 'the control: its owner alone');
});

t.test('a root is replaced when everybody trusts the new one, and goes when nobody needs it', async (t) => {
  const { authority, start, join, see, shown } = await make(t, 10_000);
  const [one, two] = [await join('one', start), await join('two', start)];
  await authority.startRotation(start);
  await t.rejects(authority.startRotation(start), { code: 'conflict' });
  t.match(authority.status(start).rotation, { phase: 'spreading', waitingFor: [uri('one'), uri('two')] });
  see(one.certificate, start + 1_000);
  t.equal(authority.advance(start + 100_000), false, 'two has not said that it trusts the new root');
  t.throws(() => authority.finishRotation(start), { code: 'conflict', message: /two/ });
  see(two.certificate, start + 5_000);
  t.equal(authority.advance(start + 14_999), false, 'not before it has had it for a while');
  t.equal(authority.advance(start + 15_000), true);
  t.equal(authority.advance(start + 15_000), false);
  const now = start + 20_000;
  t.match(authority.status(now).rotation, { phase: 'renewing', waitingFor: [uri('one'), uri('two')] });
  t.equal(see(one.certificate, now).renew, true, 'a certificate of the old root is renewed at once');
  for (const { certificate } of [one, two]) {
    const next = await authority.renew(shown(certificate), (await makeRequest()).request, now);
    t.throws(() => authority.finishRotation(now), { code: 'conflict', message: /needed/ });
    t.equal(see(next.certificate, now).renew, false);
  }
  authority.finishRotation(now);
  t.match(authority.status(now), { rotation: { phase: 'none' }, roots: [{ id: 2, state: 'signing' }] });
  await t.rejects(authority.renew(shown(one.certificate), (await makeRequest()).request, now), {
    code: 'forbidden',
  });
});

t.test('an identity that has gone is waited for until its certificate ends', async (t) => {
  const { authority, start, join } = await make(t, 10_000);
  await join('gone', start);
  await authority.startRotation(start);
  t.equal(authority.advance(start + 23 * hourMs), false);
  t.equal(authority.advance(start + 24 * hourMs + 1), true);
});
