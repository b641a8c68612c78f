import t from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { ownSecrets, variableNames } from '../../src/cli/bug-report/own-secrets.ts';
import { Redactor, redacted } from '../../src/cli/bug-report/redact.ts';

const known = 'kn0wn "secret" of ours';
const redactor = () => new Redactor([known, 'short']);

/** Texts in which S3CR3T is a secret, and all else stays. */
const secrets: readonly (readonly [text: string, kept: string])[] = [
  ['password=S3CR3T', 'password='],
  ['db_password: "S3CR3T", host: db', ', host: db'],
  ['{"apiKey":"S3CR3T","host":"db"}', '"host":"db"'],
  [String.raw`{\"client_secret\": \"S3CR3T\", \"host\": \"db\"}`, 'host'],
  ['metadata.annotations."example.com/token": \'S3CR3T S3CR3T\'', 'metadata.annotations'],
  ['https://ops:S3CR3T@wiki.example/page', '@wiki.example/page'],
  ['https://wiki.example/page?id=1&access_token=S3CR3T&x=2', '&x=2'],
  ['Authorization: Bearer S3CR3T', 'Authorization: '],
  ['refused: bearer S3CR3T, by the proxy', ', by the proxy'],
  ['Proxy-Authorization: Digest username="a", response="S3CR3T"\nnext', '\nnext'],
  ['set-cookie: id=S3CR3T; Path=/\nnext', '\nnext'],
  ['x-api-key: S3CR3T', 'x-api-key'],
  ['run --admin-token S3CR3T --admin 127.0.0.1:1', '--admin 127.0.0.1:1'],
  ['run --password=S3CR3T --verbose', '--verbose'],
  ['-----BEGIN EC PRIVATE KEY-----\nS3CR3T\n-----END EC PRIVATE KEY-----\nnext', '\nnext'],
  ['a: -----BEGIN PRIVATE KEY-----\\nS3CR3T cut', 'a: '],
  ['see eyJhbGciOiJIUzI1NiJ9.S3CR3TS3CR3T.S3CR3T now', ' now'],
  ['key AKIAS3CR3TS3CR3TS3CR now', ' now'],
  [`it says ${known} there`, ' there'],
  [`it says ${JSON.stringify(known)} there`, ' there'],
  [`?t=${encodeURIComponent(known)}&x`, '&x'],
  [`base64 ${Buffer.from(known).toString('base64')}`, 'base64 '],
];

t.test('what looks like a secret, or is known as one, is taken out; the rest stays', async (t) => {
  for (const [text, kept] of secrets) {
    const one = redactor();
    const found = one.text(text);
    t.notMatch(found, /S3CR3T|kn0wn/, text);
    t.ok(found.includes(kept), `${text} became ${found}`);
    t.ok(found.includes(redacted) && one.count > 0, found);
    t.equal(redactor().text(found), found, 'once is enough');
  }
});

/** Texts that say where a secret is, or only speak of one. */
const harmless = [
  'admin.tokenFile: /etc/isthmus/token',
  '--admin-token-file /etc/isthmus/token --idc sh-a',
  'the token is wrong',
  'short',
  'isthmus_xds_level{of="streams"} 5',
  'http://10.0.0.1:15014/status',
  'sh-a/zone-1 10.1.1.1:8080 SYNCED',
];

t.test('what is none stays as it is', async (t) => {
  for (const text of harmless) {
    const one = redactor();
    t.equal(one.text(text), text);
    t.equal(one.count, 0);
  }
});

t.test('values: by the name of the field, and of the field beside it', async (t) => {
  const one = redactor();
  const found = one.value({
    password: 'a',
    pin: { secretNumber: 12_345, tokens: ['b', 'c'] },
    tokenFile: '/etc/token',
    fields: [
      { path: 'metadata.annotations."example.com/password"', from: '"old"', to: '"new"' },
      { path: 'spec.address', from: '"10.0.0.1"', to: '"10.0.0.2"' },
    ],
    options: [{ name: 'admin.tokenFile', value: '/etc/token', default: null }],
    headers: { 'x-anything': 'd' },
    empty: null,
    ready: true,
    note: ['say password=e'],
  });
  t.strictSame(found, {
    password: redacted,
    pin: { secretNumber: redacted, tokens: [redacted, redacted] },
    tokenFile: '/etc/token',
    fields: [
      { path: 'metadata.annotations."example.com/password"', from: redacted, to: redacted },
      { path: 'spec.address', from: '"10.0.0.1"', to: '"10.0.0.2"' },
    ],
    options: [{ name: 'admin.tokenFile', value: '/etc/token', default: null }],
    headers: { 'x-anything': redacted },
    empty: null,
    ready: true,
    note: [`say password=${redacted}`],
  });
  t.equal(one.count, 8);
});

t.test('long texts: in parts, in linear time, or left out', async (t) => {
  const line = 'a line of a report, password=S3CR3T\n';
  const lines = redactor().lines(line.repeat(20_000));
  t.equal(lines, `a line of a report, password=${redacted}\n`.repeat(20_000));
  t.match(redactor().text('x'.repeat(300_000)), /^\[left out: 300000 characters\]$/);
  for (const hostile of [
    'token',
    'a',
    '"',
    '\\"',
    '://',
    '-----BEGIN A-----',
    'bearer ',
    'token"',
    '--token ',
    'eyJ',
  ]) {
    const text = hostile.repeat(Math.floor(250_000 / hostile.length));
    const began = systemClock.now();
    redactor().text(text);
    const tookMs = systemClock.now() - began;
    t.ok(tookMs < 20_000, `${hostile}: ${Math.round(tookMs)} ms`);
  }
});

t.test('secrets of this command: by names of variables, without their places', async (t) => {
  const environment = {
    DB_PASSWORD: 'one',
    ISTHMUS_TOKEN: 'two',
    PWD: '/home',
    SSH_AUTH_SOCK: '/run/x',
    TOKEN_FILE: '/t',
  };
  t.strictSame([...new Set(ownSecrets(undefined, environment))].sort(), ['one', 'two']);
  t.strictSame(ownSecrets('/does/not/exist', {}), []);
  t.strictSame(variableNames({ ISTHMUS_ADMIN: 'a', NODE_OPTIONS: 'b', DB_PASSWORD: 'c' }), [
    'ISTHMUS_ADMIN',
    'NODE_OPTIONS',
  ]);
});
