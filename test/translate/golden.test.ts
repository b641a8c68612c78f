import { join } from 'node:path';
import t from 'tap';
import { createAuthority } from '../support/certificates.ts';
import { findEnvoy } from '../support/envoy.ts';
import {
  buildCase,
  envoyRejects,
  goldenCases,
  goldenFiles,
  rewriteCase,
  storedFiles,
} from '../support/golden.ts';
import { createTestTrust } from '../support/trust.ts';

// `make golden` rewrites the files; a reviewer then reads the difference.
if (process.env.UPDATE_GOLDEN) for (const name of goldenCases()) rewriteCase(name);

const envoy = findEnvoy();
const authority = createAuthority();
const trust = createTestTrust();
t.teardown(() => {
  authority.close();
  trust.close();
});
const caller = authority.issue('caller');
const files = {
  '/etc/tls/ca.pem': authority.certFile,
  '/etc/tls/caller.pem': caller.certFile,
  '/etc/tls/caller.key': caller.keyFile,
  './identity.json': join(trust.folder('gateway'), 'identity.json'),
};

for (const name of goldenCases()) {
  t.test(`${name}: messages are as written`, async (t) => {
    t.strictSame(Object.fromEntries(storedFiles(name)), Object.fromEntries(goldenFiles(name)));
  });
  t.test(`${name}: a real Envoy accepts them`, async (t) => {
    for (const [role, built] of Object.entries(buildCase(name))) {
      t.equal(envoyRejects(envoy, built, files), undefined, role);
    }
  });
}

t.test('Envoy does look at routes and endpoints', async (t) => {
  const built = buildCase('two-idcs').ingress;
  const broken = built.map((one) =>
    one.kind === 'RDS'
      ? { ...one, message: JSON.parse(JSON.stringify(one.message).replaceAll('failover/', 'nowhere/')) }
      : one,
  );
  t.match(envoyRejects(envoy, broken), /unknown cluster 'nowhere/);
});
