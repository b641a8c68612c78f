import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { parseConfigFile, readConfigFile } from '../../src/config/config-file.ts';

const head = 'apiVersion: isthmus.dev/v1alpha1\nkind: ControlPlaneConfig\n';

/** What a file is told, without its name. */
function faultsOf(text: string): readonly string[] {
  return parseConfigFile(text, 'f.yaml').faults.map((line) => line.replace(/^f\.yaml:/, ''));
}

/** Its values by name. */
function valuesOf(text: string, file = '/etc/isthmus/f.yaml'): Record<string, unknown> {
  const { faults, values } = parseConfigFile(text, file);
  t.strictSame(faults, []);
  return Object.fromEntries([...values].map(([name, { value }]) => [name, value]));
}

const wrong: readonly [string, string, readonly string[]][] = [
  [
    'nothing',
    '# only a comment\n',
    ['1:1: error: is empty: a file begins with apiVersion: isthmus.dev/v1alpha1, kind: ControlPlaneConfig.'],
  ],
  ['a list', '- a\n', ['1:1: error: must be a mapping with apiVersion, kind and options, not a list.']],
  [
    'no kind',
    'apiVersion: isthmus.dev/v1alpha1\n',
    ['1:1: error: kind: is required: write kind: ControlPlaneConfig.'],
  ],
  [
    'an object of the registry',
    'apiVersion: isthmus.dev/v1alpha1\nkind: Idc\n',
    [
      "2:1: error: kind: 'Idc' is not a configuration: write ControlPlaneConfig here. Registry objects belong in the folder of registry.folder.",
    ],
  ],
  [
    'a version of later, and options that this one does not know',
    'kind: ControlPlaneConfig\napiVersion: isthmus.dev/v1\nnovel: 1\n',
    [
      "2:1: error: apiVersion: 'isthmus.dev/v1' is not known to this version of Isthmus, and nothing of the file is used: it reads isthmus.dev/v1alpha1. Rewrite the file for that, or run an Isthmus that reads it.",
    ],
  ],
  [
    'no version',
    'kind: ControlPlaneConfig\n',
    ['1:1: error: apiVersion: is required: write apiVersion: isthmus.dev/v1alpha1.'],
  ],
  [
    'no YAML',
    `${head}idc: [\n`,
    ['4:1: error: is not YAML: unexpected end of the stream within a flow collection'],
  ],
  ['a key twice', `${head}idc: a\nidc: b\n`, ['4:1: error: is not YAML: duplicated mapping key']],
  ['two documents', `${head}---\nidc: a\n`, ['3:1: error: holds a second document: a configuration is one.']],
  [
    'unknown fields, with what was meant',
    `${head}xsd:\n  listen: :1\nxds:\n  lisen: :1\n`,
    [
      "3:1: error: xsd: unknown field: correct or remove it. Did you mean 'xds'?",
      "6:3: error: xds.lisen: unknown field: correct or remove it. Did you mean 'listen'?",
    ],
  ],
  [
    'each fault at once, by line',
    `${head}idc: SH-A
xds: {listen: here, tools: on}
admin:
  listen: 127.0.0.1
peers:
  admin: 10.0.0.1:15014
  startLimit: 15
  keepLimit: 2h
routing: {hopLimit: 5, loopPrevention: 'false'}
log: {level: loud}
state: {folder: ''}
deletions:
`,
    [
      "3:1: error: idc: 'SH-A' is not an IDC name: a-z, 0-9 and -, at most 32, not - at an end.",
      "4:7: error: xds.listen: 'here' is not an address: write HOST:PORT, with an IP address as HOST.",
      "4:21: error: xds.tools: must be true or false. It is 'on'.",
      "6:3: error: admin.listen: '127.0.0.1' has no port: write 127.0.0.1:PORT.",
      "8:3: error: peers.admin: must be a list of addresses. It is '10.0.0.1:15014'.",
      "9:3: error: peers.startLimit: must be a duration such as '15s'. It is 15. Did you mean '15s'?",
      "10:3: error: peers.keepLimit: give 1s to 1h, not '2h'.",
      '11:11: error: routing.hopLimit: must be a whole number from 0 to 4. It is 5.',
      "11:24: error: routing.loopPrevention: must be true or false. It is 'false'.",
      "12:7: error: log.level: must be one of debug, info, warn, error. It is 'loud'.",
      '13:9: error: state.folder: is empty: give a path, or leave it out.',
      '14:1: error: deletions: must be a mapping of options: give it some, or leave it out.',
    ],
  ],
  [
    'control characters, which a terminal would obey',
    `${head}log: {level: "a\\nb\\e[31m"}\nidc: "\\e[2J"\nregistry: {folder: "a\\0b"}\n`,
    [
      "3:7: error: log.level: must be one of debug, info, warn, error. It is 'a\\u{a}b\\u{1b}[31m'.",
      "4:1: error: idc: '\\u{1b}[2J' is not an IDC name: a-z, 0-9 and -, at most 32, not - at an end.",
      '5:12: error: registry.folder: has a control character: correct it.',
    ],
  ],
  [
    'an empty list',
    `${head}peers: {admin: []}\n`,
    ['3:9: error: peers.admin: is empty: name one, or leave it out.'],
  ],
  [
    'aliases that stand for too much',
    `${head}x: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n${'bcdefg'
      .split('')
      .map((name, i) => `x${name}: &${name} [${Array(10).fill(`*${'abcdef'[i]}`).join(', ')}]\n`)
      .join('')}`,
    ['1:1: error: is not YAML: its aliases stand for more than 1 million values: write out what is meant'],
  ],
];

for (const [name, text, faults] of wrong)
  t.test(name, async (t) => {
    t.strictSame(faultsOf(text), faults);
  });

t.test('values are read as a flag reads them, paths from the folder of the file', async (t) => {
  const text = `${head}registry: {folder: objects, registrations: /var/r.db}
state: {folder: ../state}
xds: {listen: '[::1]:1', tools: false}
peers: {admin: [':2', 127.0.0.1:2, 10.0.0.1:3], startLimit: 1m30s}
routing: {hopLimit: 0}
`;
  t.strictSame(valuesOf(text), {
    'registry.folder': '/etc/isthmus/objects',
    'registry.registrations': '/var/r.db',
    'state.folder': '/etc/state',
    'xds.listen': { address: '::1', port: 1 },
    'xds.tools': false,
    'peers.admin': [
      { address: '127.0.0.1', port: 2 },
      { address: '10.0.0.1', port: 3 },
    ],
    'peers.startLimit': 90_000,
    'routing.hopLimit': 0,
  });
  t.strictSame(valuesOf(`${head}registry: {folder: 'files:objects'}\n`), {
    'registry.folder': 'files:/etc/isthmus/objects',
  });
  t.match(parseConfigFile(`# why\n---\n${head}log:\n  level: warn\n`, 'f.yaml').values.get('log.level'), {
    origin: { from: 'file', file: 'f.yaml', line: 6 },
  });
});

t.test('the reader never throws', async (t) => {
  const texts = [
    '\0',
    '%YAML 1.2\n---\n',
    '&a *a',
    '!!js/function x',
    `${head}__proto__: {idc: x}\n`,
    `${head}constructor: 1\n`,
    `${head}? [a]\n: b\n`,
    `${head}idc: *a\n`,
    '{'.repeat(50_000),
  ];
  for (const text of texts) t.ok(faultsOf(text).length > 0, JSON.stringify(text.slice(0, 90)));
});

t.test('a file of another encoding', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'isthmus-config-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const file = join(dir, 'f.yaml');
  const faults = (bytes: Uint8Array | string) => {
    writeFileSync(file, bytes);
    return readConfigFile(file).faults;
  };
  const text = `${head}registry: {folder: caf\u00e9}\n`;
  t.match(faults(Buffer.from(text, 'latin1')), [
    /f\.yaml:1:1: error: the encoding is not UTF-8 .*save it as/,
  ]);
  t.match(faults(Buffer.from(text, 'utf16le')), [/:1:1: error: the encoding is UTF-16 .*: save it as UTF-8/]);
  t.strictSame(faults(text), []);
  t.strictSame(faults(`\ufeff${text}`), [], 'with a byte order mark');
});

t.test('a file that cannot be read, or is no configuration by its size', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'isthmus-config-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  const large = join(dir, 'large.yaml');
  writeFileSync(large, `${head}${'# \n'.repeat(200_000)}`);
  t.throws(() => readConfigFile(join(dir, 'none')), {
    code: 'unavailable',
    message: /none cannot be read: it does not exist/,
  });
  t.throws(() => readConfigFile(dir), { code: 'unavailable', message: /cannot be read: it is a folder/ });
  t.throws(() => readConfigFile(large), { code: 'unavailable', message: /cannot be read: .*512 KiB/ });
});
