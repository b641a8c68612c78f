import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import t from 'tap';
import { formatIdentity, parseIdentity, readTrustDomain } from '../../src/model/values/identity.ts';
import { readBundle } from '../../src/trust/bundle.ts';
import { issueLeaf, loadRoot, makeRequest, makeRoot, readRequest } from '../../src/trust/ca/issue.ts';
import { identityOf, issuerOf, readCertificate } from '../../src/trust/certificate.ts';
import { createAuthority } from '../support/certificates.ts';

const uri = 'spiffe://sh-a.example/idc/sh-a/sidecar/caller-1';
const now = Date.now();
const dayMs = 86_400_000;

t.test('an identity is written and read', async (t) => {
  const identity = { trustDomain: 'sh-a.example', idc: 'sh-a', role: 'sidecar', name: 'caller-1' } as const;
  t.equal(formatIdentity(identity), uri);
  t.strictSame(parseIdentity(uri), identity);
  t.throws(() => formatIdentity({ ...identity, name: 'a/b' }), { code: 'invalid' });
});

t.test('what is no identity is refused, with the part that is wrong', async (t) => {
  const wrong: Readonly<Record<string, RegExp>> = {
    'https://sh-a.example/idc/sh-a/sidecar/x': /write spiffe:/,
    'spiffe://sh-a.example/ns/shop/sa/x': /write spiffe:/,
    'spiffe://SH-A.example/idc/sh-a/sidecar/x': /trust domain/,
    'spiffe://sh-a.example:80/idc/sh-a/sidecar/x': /trust domain/,
    'spiffe://sh-a.example/idc/SH/sidecar/x': /IDC/,
    'spiffe://sh-a.example/idc/sh-a/admin/x': /role/,
    'spiffe://sh-a.example/idc/sh-a/sidecar/': /name/,
    'spiffe://sh-a.example/idc/sh-a/sidecar/..': /name/,
    'spiffe://sh-a.example/idc/sh-a/sidecar/a%2fb': /name/,
    'spiffe://sh-a.example/idc/sh-a/sidecar/x/y': /write spiffe:/,
  };
  for (const [text, message] of Object.entries(wrong))
    t.throws(() => parseIdentity(text), { code: 'invalid', message }, text);
  for (const text of ['', 'a..b', '-a', 'a_b', `${'a.'.repeat(127)}aa`])
    t.throws(() => readTrustDomain(text), { code: 'invalid' }, text);
});

t.test('a leaf has what Envoy and Node need, and nothing else', async (t) => {
  const root = await makeRoot('sh-a.example', now, 30);
  const signing = await loadRoot(root);
  const { request, key } = await makeRequest();
  const term = { notBefore: now - 60_000, notAfter: now + 3_600_000 };
  const pem = await issueLeaf(signing, parseIdentity(uri), await readRequest(request), term);
  const { x509, identity, notAfter } = readCertificate(pem);
  t.equal(formatIdentity(identity), uri);
  t.equal(x509.subject, undefined, 'no subject');
  t.equal(x509.subjectAltName, `URI:${uri}`);
  t.equal(x509.ca, false);
  t.strictSame([...(x509.keyUsage ?? [])].sort(), ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  t.ok(x509.checkPrivateKey(createPrivateKey(key)));
  t.equal(notAfter, Math.floor(term.notAfter / 1000) * 1000);
  const bundle = readBundle(root.certificate, now);
  t.equal(issuerOf(x509, bundle.roots)?.fingerprint256, bundle.roots[0]?.fingerprint256);
  const late = { notBefore: now, notAfter: now + 365 * dayMs };
  const cut = readCertificate(await issueLeaf(signing, identity, await readRequest(request), late));
  t.ok(cut.notAfter <= now + 30 * dayMs, 'no leaf outlives its root');
});

t.test('a request is taken for its key alone, if it is signed with it', async (t) => {
  const { request, key } = await makeRequest();
  const spki = createPublicKey(createPrivateKey(key)).export({ type: 'spki', format: 'der' });
  t.strictSame(Buffer.from(await readRequest(request)), spki);
  const der = Buffer.from(request.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  der[der.length - 10] = (der[der.length - 10] ?? 0) ^ 1;
  const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----`;
  await t.rejects(readRequest(forged), { code: 'invalid', message: /signed/ });
  await t.rejects(readRequest('hello'), { code: 'invalid' });
});

t.test('a name that quotes another certificate’s is no identity', async (t) => {
  const named = (subjectAltName: string) => ({ subjectAltName }) as X509Certificate;
  t.throws(() => identityOf(named(`DNS:"x, URI:${uri}"`)), { message: /no URI/ });
  t.throws(() => identityOf(named(`URI:${uri}, URI:${uri}2`)), { message: /several/ });
  t.throws(() => identityOf(named('DNS:a.example')), { message: /no URI/ });
  t.equal(formatIdentity(identityOf(named(`DNS:a.example, URI:${uri}`))), uri);
});

t.test('a bundle has each root once, none that has expired, and is never empty', async (t) => {
  const [one, two] = [await makeRoot('a', now, 30), await makeRoot('a', now, 30)];
  const old = await makeRoot('a', now - 60 * dayMs, 30);
  const bundle = readBundle(one.certificate + old.certificate + two.certificate + one.certificate, now);
  t.equal(bundle.roots.length, 2);
  t.equal(bundle.hash, readBundle(two.certificate + one.certificate, now).hash, 'the order is no matter');
  t.not(bundle.hash, readBundle(one.certificate, now).hash);
  t.not(new X509Certificate(one.certificate).subject, new X509Certificate(two.certificate).subject);
  t.throws(() => readBundle(old.certificate, now), { code: 'invalid', message: /expired/ });
  t.throws(() => readBundle('', now), { code: 'invalid' });
  const foreign = createAuthority();
  t.teardown(() => foreign.close());
  t.throws(() => readBundle(foreign.issue('leaf').cert, now), { code: 'invalid', message: /no authority/ });
});
