import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { readKubeconfig } from '../../src/kube/config/kubeconfig.ts';

const dir = mkdtempSync(join(tmpdir(), 'isthmus-kubeconfig-'));
t.teardown(() => rmSync(dir, { recursive: true, force: true }));
const file = join(dir, 'config');

const base = {
  kind: 'Config',
  'current-context': 'c',
  clusters: [{ name: 'k', cluster: { server: 'https://10.0.0.1:6443/below/' } }],
  users: [{ name: 'u', user: { token: 'abc' } }],
  contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
};
const cluster = (fields: object) => ({
  clusters: [{ name: 'k', cluster: { server: 'https://h', ...fields } }],
});
const user = (fields: object) => ({ users: [{ name: 'u', user: fields }] });

function read(config: object | string, context?: string) {
  writeFileSync(file, typeof config === 'string' ? config : JSON.stringify(config));
  return readKubeconfig({ file, context }, systemClock);
}

t.test('server, path, token', async (t) => {
  const access = read(base);
  t.equal(access.server.href, 'https://10.0.0.1:6443/below/');
  t.equal(access.origin, `kubeconfig ${file}, context c`);
  t.equal(await access.credentials.authorization(), 'Bearer abc');
  t.strictSame(await access.serverTls(), { rejectUnauthorized: true });
});

t.test('what is wrong is named with file, context and field', async (t) => {
  const faults: [string, object | string, RegExp][] = [
    ['not YAML', '{a: ', /config: the file: is not YAML/],
    ['another file', { kind: 'Pod' }, /kind: is not Config: this is not a kubeconfig/],
    [
      'no context',
      { ...base, 'current-context': '' },
      /current-context: is not set: set it, or give --kube-context/,
    ],
    [
      'a context that is not there',
      { ...base, 'current-context': 'd' },
      /context d: contexts: no context 'd' is there: the file has c\./,
    ],
    [
      'a cluster that is not there',
      { ...base, clusters: [] },
      /context c: clusters: no cluster 'k', which contexts\[c\] names, is there: the file has no clusters/,
    ],
    ['no server', { ...base, ...cluster({ server: '' }) }, /clusters\[0\]\.cluster\.server: is missing/],
    ['no URL', { ...base, ...cluster({ server: 'h' }) }, /cluster\.server: 'h' is not a URL/],
    ['http', { ...base, ...cluster({ server: 'http://h' }) }, /'http:\/\/h' is not https/],
    ['a proxy', { ...base, ...cluster({ 'proxy-url': 'x' }) }, /proxy-url: is not supported/],
    [
      'a password',
      { ...base, ...user({ username: 'x' }) },
      /users\[0\]\.user\.username: API servers since 1\.19/,
    ],
    [
      'a provider',
      { ...base, ...user({ 'auth-provider': {} }) },
      /auth-provider: Kubernetes has removed it: use exec/,
    ],
    ['impersonation', { ...base, ...user({ as: 'x' }) }, /user\.as: impersonation is not supported/],
    ['a broken token', { ...base, ...user({ token: 'a b' }) }, /user\.token: it holds more than a token/],
    [
      'a plugin of an old version',
      { ...base, ...user({ exec: { command: 'x', apiVersion: 'client.authentication.k8s.io/v1alpha1' } }) },
      /user\.exec\.apiVersion: '.*v1alpha1' is not supported: use .*\/v1 or/,
    ],
    ['a plugin without a command', { ...base, ...user({ exec: {} }) }, /user\.exec\.command: is missing/],
  ];
  for (const [name, config, message] of faults)
    t.throws(() => read(config), { code: 'invalid', message }, name);
  t.throws(() => read(base, 'e'), { message: /context e: contexts: no context 'e'/ }, 'a given context');
});

t.test('what it names is read when it is needed, with the same errors', async (t) => {
  const ca = read({ ...base, ...cluster({ 'certificate-authority': 'none.pem' }) });
  await t.rejects(ca.serverTls(), {
    message: /clusters\[0\]\.cluster\.certificate-authority: .*none\.pem cannot be read: it does not exist/,
  });
  const data = read({ ...base, ...cluster({ 'certificate-authority-data': 'Zm9v' }) });
  await t.rejects(data.serverTls(), { message: /certificate-authority-data: is not PEM in base64/ });
  const half = read({ ...base, ...user({ 'client-certificate-data': 'LS0tLS1CRUdJTg==' }) });
  await t.rejects(half.credentials.certificate(), {
    message: /client-key: is missing beside client-certificate/,
  });
  const token = read({ ...base, ...user({ tokenFile: 'none' }) });
  await t.rejects(token.credentials.authorization(), { message: /user\.tokenFile: .*none cannot be read/ });
});
