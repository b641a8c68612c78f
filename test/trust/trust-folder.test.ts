import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parseIdentity } from '../../src/model/values/identity.ts';
import { issueLeaf, loadRoot, makeRequest, makeRoot, readRequest } from '../../src/trust/ca/issue.ts';
import {
  makeTrustFolder,
  readTrustFolder,
  versionOf,
  writeTrustFolder,
} from '../../src/trust/trust-folder.ts';

const now = Date.now();
const identity = parseIdentity('spiffe://sh-a.example/idc/sh-a/sidecar/one');

async function pairOf(root: Awaited<ReturnType<typeof makeRoot>>) {
  const { request, key } = await makeRequest();
  const term = { notBefore: now - 60_000, notAfter: now + 3_600_000 };
  const certificate = await issueLeaf(await loadRoot(root), identity, await readRequest(request), term);
  return { certificate, key, bundle: root.certificate };
}

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-trust-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return join(folder, 'one');
}

t.test('a folder has what an Envoy needs before there is a certificate', async (t) => {
  const folder = folderOf(t);
  makeTrustFolder(folder);
  t.equal(readTrustFolder(folder, now), undefined);
  const secret = (file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8')).resources[0];
  t.match(secret('identity.json'), {
    name: 'identity',
    tls_certificate: {
      certificate_chain: { filename: join(folder, 'cur', 'cert.pem') },
      watched_directory: { path: folder },
    },
  });
  t.match(secret('trust.json'), {
    validation_context: { trusted_ca: { filename: join(folder, 'cur/ca.pem') } },
  });
});

t.test('all parts are replaced at once, by a rename, for their owner alone', async (t) => {
  const folder = folderOf(t);
  makeTrustFolder(folder);
  const root = await makeRoot('sh-a.example', now, 30);
  const pairs = [await pairOf(root), await pairOf(root), await pairOf(root)];
  for (const [index, pair] of pairs.entries()) {
    writeTrustFolder(folder, pair);
    t.equal(versionOf(folder), `v${index + 1}`);
    t.equal(readTrustFolder(folder, now)?.files.certificate, pair.certificate);
  }
  t.strictSame(readdirSync(folder).sort(), ['cur', 'identity.json', 'trust.json', 'v2', 'v3']);
  t.equal(statSync(join(folder, 'cur', 'key.pem')).mode & 0o777, 0o600);
});

t.test('parts that do not fit together are refused, and their key is not quoted', async (t) => {
  const folder = folderOf(t);
  makeTrustFolder(folder);
  const root = await makeRoot('sh-a.example', now, 30);
  const [one, two] = [await pairOf(root), await pairOf(root)];
  const wrong: [string, object, RegExp][] = [
    ['a key of another', { ...one, key: two.key }, /not that of the certificate/],
    ['no key', { ...one, key: `x${one.key.slice(40)}` }, /key cannot be read/],
    ['no certificate', { ...one, certificate: 'x' }, /not a certificate/],
    ['no root', { ...one, bundle: '' }, /bundle/],
  ];
  for (const [what, files, message] of wrong) {
    writeTrustFolder(folder, files as typeof one);
    t.throws(() => readTrustFolder(folder, now), { code: 'invalid', message }, what);
    try {
      readTrustFolder(folder, now);
    } catch (reason) {
      t.notMatch(String(reason), one.key.slice(60, 90), `${what}: the key`);
    }
  }
});

t.test('a folder may be laid out by another program', async (t) => {
  const folder = folderOf(t);
  const pair = await pairOf(await makeRoot('sh-a.example', now, 30));
  mkdirSync(join(folder, 'cur'), { recursive: true });
  writeFileSync(join(folder, 'cur', 'cert.pem'), pair.certificate);
  t.throws(() => readTrustFolder(folder, now), { code: 'unavailable', message: /key\.pem cannot be read/ });
  writeFileSync(join(folder, 'cur', 'key.pem'), pair.key);
  writeFileSync(join(folder, 'cur', 'ca.pem'), pair.bundle);
  t.match(readTrustFolder(folder, now)?.own.identity, { name: 'one' });
});
