import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { inClusterAccess } from '../../src/kube/config/in-cluster.ts';
import { readKubeconfig } from '../../src/kube/config/kubeconfig.ts';
import { createKubeClient } from '../../src/kube/kube-client.ts';
import { createAuthority } from '../support/certificates.ts';
import { adminToken, KubeApi, withoutKube } from '../support/kube/kube-api.ts';
import { manualClock } from '../support/manual-clock.ts';

const list = {
  action: { verb: 'list', group: '', resource: 'namespaces' },
  path: '/api/v1/namespaces',
} as const;

t.test('who is let in', { skip: withoutKube }, async (t) => {
  const authority = createAuthority();
  t.teardown(() => authority.close());
  const certificate = authority.issue('limited');
  const api = await KubeApi.start(t, [`--client-ca-file=${authority.certFile}`]);
  const bindings = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings';
  await api.must('POST', bindings, {
    metadata: { name: 'limited' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'limited' }],
  });
  const clientOf = (t: Test, user: Record<string, unknown>) => {
    const access = readKubeconfig({ file: api.kubeconfig(user) }, systemClock);
    const client = createKubeClient(access, { clock: systemClock });
    t.teardown(() => client.close());
    return client;
  };
  const file = (name: string, text: string) => {
    writeFileSync(join(api.folder, name), text, { mode: 0o700 });
    return name;
  };
  const base64 = (text: string) => Buffer.from(text).toString('base64');

  t.test('a certificate, inline or in files that stand beside the kubeconfig', async (t) => {
    const { cert, key } = certificate;
    await t.resolves(
      clientOf(t, { 'client-certificate-data': base64(cert), 'client-key-data': base64(key) }).json(list),
    );
    const user = { 'client-certificate': file('c.pem', cert), 'client-key': file('k.pem', key) };
    await t.resolves(clientOf(t, user).json(list));
  });

  t.test('no credentials, or wrong ones: named, with what to do', async (t) => {
    await t.rejects(clientOf(t, {}).json(list), { message: /403 .*system:anonymous/ });
    await t.rejects(clientOf(t, { token: 'wrong' }).json(list), {
      message:
        /list namespaces: 401 Unauthorized; correct or renew the credentials of kubeconfig .*, context c/,
    });
  });

  t.test('a file with a token that is replaced: the next request has the new one', async (t) => {
    file('token', 'old');
    const client = clientOf(t, { tokenFile: 'token' });
    await t.rejects(client.json(list), { message: /401/ });
    file('token', `${adminToken}\n`);
    await t.resolves(client.json(list), 'after the 401 it was read again');
    file('token', 'worn out');
    await t.resolves(client.json(list), 'believed for some seconds');
  });

  t.test('a plugin: run once, and again after a refusal', async (t) => {
    file('credential', 'old');
    file(
      'plugin',
      `#!/bin/sh
echo run >> ${join(api.folder, 'runs')}
printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}' "$(cat ${join(api.folder, 'credential')})-$WHO"
`,
    );
    const exec = {
      ...{ apiVersion: 'client.authentication.k8s.io/v1', command: './plugin' },
      env: [{ name: 'WHO', value: 'x' }],
    };
    const client = clientOf(t, { exec });
    await t.rejects(client.json(list), { message: /401/ });
    file('plugin', `#!/bin/sh\nprintf '{"kind":"ExecCredential","status":{"token":"${adminToken}"}}'\n`);
    await t.resolves(client.json(list));
    await t.rejects(
      clientOf(t, { exec: { ...exec, command: 'no-such-plugin', installHint: 'Get it.' } }).json(list),
      {
        message: /users\[0\]\.user\.exec\.command: no-such-plugin is not there\. Get it\./,
      },
    );
    file('broken', '#!/bin/sh\necho "no login" >&2\nexit 3\n');
    await t.rejects(clientOf(t, { exec: { ...exec, command: './broken' } }).json(list), {
      message: /failed \(exit code 3\): no login/,
    });
  });

  t.test('in a Pod: the token of kubelet, read again as it is replaced', async (t) => {
    const clock = manualClock();
    const environment = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(api.port) };
    file('ca.crt', await import('node:fs').then(({ readFileSync }) => readFileSync(api.caFile, 'utf8')));
    file('token', adminToken);
    const access = inClusterAccess(clock, environment, api.folder);
    const client = createKubeClient(access, { clock: systemClock });
    t.teardown(() => client.close());
    await t.resolves(client.json(list));
    file('token', 'next');
    t.equal(await access.credentials.authorization(), `Bearer ${adminToken}`);
    clock.pass(5_001);
    t.equal(await access.credentials.authorization(), 'Bearer next');
  });
});

t.test('outside of a Pod', async (t) => {
  t.throws(() => inClusterAccess(systemClock, {}), {
    message: /--in-cluster: KUBERNETES_SERVICE_HOST and _PORT: are not set: this is not a Pod/,
  });
});
