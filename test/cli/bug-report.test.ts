import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { type ListenAddress, showAddress } from '../../src/model/values/listen-address.ts';
import { connectXds } from '../support/clients/xds-client.ts';
import { freeAddress, until } from '../support/mesh.ts';
import { entryYaml } from '../support/objects-yaml.ts';
import { token } from '../support/planes/registering.ts';
import { type Replacement, startServe, takeAway, without } from '../support/planes/served.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'isthmus-bug-report-'));
t.teardown(() => rmSync(dir, { recursive: true }));
const { NODE_OPTIONS: _, ISTHMUS_ADMIN: __, ...env } = process.env;

/** Secrets by where they are planted; each is found in a report that is not redacted. */
const planted = {
  tokenOfFlag: token,
  tokenOfEnvironment: 'pl4nted-environment-token',
  password: 'pl4nted-database-password',
  configuration: 'pl4nted-configuration',
  annotationBefore: 'pl4nted-annotation-before',
  annotationAfter: 'pl4nted-annotation-after',
  privateKey: 'pl4ntedPr1vateKey',
  urlUser: 'pl4nted-url-user',
  urlParameter: 'pl4nted-url-parameter',
  header: 'pl4nted-header',
  node: 'pl4nted-node',
} as const;

/** `isthmus bug-report` with all that is secret at its side. */
function bugReport(
  admin: readonly ListenAddress[],
  more: readonly string[] = [],
  ...changes: readonly Replacement[]
) {
  const node = changes.length === 0 ? [] : ['--import', without];
  const args = [...node, main, 'bug-report', '--admin', admin.map(showAddress).join(','), ...more];
  const secrets = { ISTHMUS_TOKEN: planted.tokenOfEnvironment, DB_PASSWORD: planted.password };
  const options = { env: { ...env, ...secrets, ...takeAway(...changes) }, maxBuffer: 2 ** 26, cwd: dir };
  return new Promise<{ code: number; out: string; err: string }>((resolve) => {
    execFile(process.execPath, args, options, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}

const annotated = (secret: string) =>
  entryYaml('cart', 'ports: [{number: 80, name: http, protocol: HTTP}]').replace(
    'namespace: shop}',
    `namespace: shop, annotations: {example.com/password: ${secret}, example.com/note: "-----BEGIN PRIVATE KEY----- ${planted.privateKey}"}}`,
  );

const served = await startServe({
  flags: ['--state', join(dir, 'state')],
  files: { 'cart.yaml': entryYaml('cart', 'ports: [{number: 80, name: http, protocol: HTTP}]') },
});
t.teardown(() => served.close());
await served.ready();
const [configFile, tokenFile] = [join(dir, 'isthmus.yaml'), join(dir, 'token')];
writeFileSync(tokenFile, planted.tokenOfFlag);
writeFileSync(
  configFile,
  `apiVersion: isthmus.dev/v1alpha1\nkind: ControlPlaneConfig\nidc: "token=${planted.configuration}"\nregistry: {folder: .}\n`,
);
served.save('cart.yaml', annotated(planted.annotationBefore));
await until('it is changed', async () =>
  (await served.page('/v1/events')).includes(planted.annotationBefore),
);
served.save('cart.yaml', annotated(planted.annotationAfter));
await until('it is changed again', async () =>
  (await served.page('/v1/events')).includes(planted.annotationAfter),
);
const put = await served.api('PUT', '/../evacuations/move', {
  idc: 'sh-a',
  percent: 1,
  expires: new Date(Date.now() + 3_600_000).toISOString(),
  reason: `see https://ops:${planted.urlUser}@wiki.example/?token=${planted.urlParameter} and ${planted.tokenOfEnvironment}, ${planted.password}, ${token}`,
});

if (put.status !== 200) throw new Error(JSON.stringify(put.body));

/** A client that refuses what it is sent, with a secret in its words and its name. */
const client = connectXds(showAddress(served.xds), 'sotw', {
  id: `caller?api_key=${planted.node}`,
  user_agent_name: 'envoy',
  user_agent_build_version: { version: { major_number: 1, minor_number: 40, patch: 0 } },
  metadata: {
    isthmus: {
      role: 'sidecar',
      idc: 'sh-a',
      namespace: 'shop',
      outbound: { address: '127.0.0.1', port: 15001 },
    },
  },
});
t.teardown(() => client.close());
client.send('CDS');
client.nack(await client.next(), `cannot be fetched: Authorization: Bearer ${planted.header}`);
await until('it is refused', async () => (await served.page('/status')).includes(planted.header));

const all = ['--file', configFile, '--token-file', tokenFile];
const found = (text: string) =>
  Object.entries(planted).flatMap(([where, secret]) => {
    const forms = [
      secret,
      encodeURIComponent(secret),
      Buffer.from(secret).toString('base64').replace(/=+$/, ''),
    ];
    return forms.some((form) => text.includes(form)) ? [where] : [];
  });

t.test('a report has what a maintainer needs, and none of the secrets', async (t) => {
  const path = join(dir, 'report.txt');
  const { code, out, err } = await bugReport([served.admin], [path, ...all]);
  t.strictSame([code, out], [0, ''], err);
  const text = readFileSync(path, 'utf8');
  t.strictSame(found(text + err), []);
  t.equal(statSync(path).mode & 0o777, 0o600, 'it is for its owner alone');
  const title = `==== ${showAddress(served.admin)}, control plane of sh-a: `;
  for (const part of [
    'proxies',
    'readiness',
    'configuration in force',
    'status',
    'problems',
    'events',
    'evacuations',
    'metrics',
  ])
    t.ok(text.includes(`\n${title}${part}`), part);
  for (const words of [
    /^isthmus \d+\.\d+\.\d+, Node\.js 2\d/m,
    /^environment has .*ISTHMUS_TOKEN/m,
    /^==== isthmus check$/m,
    /^ {2}ok {8}token, at .*: accepted; /m,
    /"name":"admin\.tokenFile","value":"\/[^"]*\/token"/,
    /"name":"state\.folder","value":"[^"]*\/state","default":null,"from":"flag","at":"--state"/,
    /^caller\?api_key=\[redacted\] .* CDS NACKED \(cannot be fetched: Authorization: ?\[redacted\]/m,
    /"path":"metadata\.annotations\.\\"example\.com\/password\\"","from":"\[redacted\]","to":"\[redacted\]"/,
    /"reason": "see https:\/\/\[redacted\]@wiki\.example\/\?token=\[redacted\]/,
    /^isthmus_ready\S* 1$/m,
    /^- secrets: what has the name/m,
    /^- nothing was missing$/m,
  ])
    t.match(text, words);
  t.match(err, /asking .*\n.*report\.txt is written: \d+ parts, \d+ KiB, [1-9]\d* places redacted/);
});

t.test('the control: without the redaction each of them is in it', async (t) => {
  const { out } = await bugReport([served.admin], ['-', ...all], {
    file: 'bug-report/report.ts',
    from: 'new Redactor(ownSecrets(asked.tokenFile, process.env))',
    to: '{ text: (one) => one, lines: (one) => one, value: (one) => one, count: 0 } as unknown as Redactor',
  });
  t.strictSame(found(out).sort(), Object.keys(planted).sort());
});

t.test('a control plane that does not answer is told, and the rest is there', async (t) => {
  const gone = await freeAddress();
  const { code, out, err } = await bugReport([gone, served.admin], ['-']);
  t.equal(code, 1);
  const words = `the control plane at ${showAddress(gone)} does not answer`;
  t.ok(out.includes(`\n==== ${showAddress(gone)}\n\n${words}`));
  t.match(out, /^It could not get:\n- the control plane at 127\.0\.0\.1:\d+ does not answer/m);
  t.match(out, /^isthmus_ready\S* 1$/m);
  t.ok(err.includes(`missing: ${words}`));
  const none = await bugReport([gone], ['-']);
  t.equal(none.code, 1);
  t.match(none.out, /^==== this machine$/m);
});

t.test('a file that is there is not replaced', async (t) => {
  const path = join(dir, 'kept.txt');
  writeFileSync(path, 'kept');
  const { code, err } = await bugReport([served.admin], [path]);
  t.equal(code, 2);
  t.match(err, /kept\.txt cannot be written: there is a file of this name \(EEXIST\); give another file/);
  t.equal(readFileSync(path, 'utf8'), 'kept');
});

t.test('parts and the whole are limited, and the report says what it lacks', async (t) => {
  const limits = { file: 'bug-report/report.ts', from: 'part: 512 * 1024, whole: 16 * 1024 * 1024' };
  const short = await bugReport([served.admin], ['-'], { ...limits, to: 'part: 2_000, whole: 2 ** 24' });
  t.match(short.out, /^\[cut: \d+ of \d+ characters\]$/m);
  t.ok(short.out.length < 40_000, `${short.out.length}`);
  const small = await bugReport([served.admin], ['-'], { ...limits, to: 'part: 2_000, whole: 8_000' });
  t.match(small.out, /^- .*: metrics: the report would be longer than/m);
  t.equal(small.code, 1);
});
