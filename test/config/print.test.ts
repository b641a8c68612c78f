import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import { parseConfigFile, readConfigFile } from '../../src/config/config-file.ts';
import { optionList } from '../../src/config/options.ts';
import { settingsJson, settingsYaml } from '../../src/config/print.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import type { Given, Setting } from '../../src/config/setting.ts';

const golden = (name: string) => new URL(`./golden/${name}`, import.meta.url);

/** Compares with a golden file, or writes it; the working directory is `CWD` in it. */
function compare(name: string, printed: string): void {
  const text = printed.replaceAll(process.cwd(), 'CWD');
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(golden(name), text);
  t.equal(text, readFileSync(golden(name), 'utf8'), name);
}

t.test('the values in force and their origins', async () => {
  const { settings } = resolveConfig({
    file: readConfigFile('docs/examples/isthmus.yaml'),
    environment: { ISTHMUS_SERVE_IDC: 'sh-b' },
    flags: new Map<string, unknown>([['shutdown.grace', 90_000]]),
  });
  compare('print.yaml', settingsYaml(settings));
  compare('print.json', settingsJson(settings));
});

t.test('the output means the same in any folder (docker/compose 8760)', async (t) => {
  const text = `apiVersion: isthmus.dev/v1alpha1
kind: ControlPlaneConfig
idc: sh-a
registry: {folder: 'files:../objects', registrations: r.db}
admin: {tokenFile: /etc/token}
`;
  const flags = new Map<string, unknown>([['state.folder', 'state']]);
  const file = parseConfigFile(text, 'etc/f.yaml');
  const printed = settingsYaml(resolveConfig({ file, environment: {}, flags }).settings);
  const elsewhere = parseConfigFile(printed, '/elsewhere/f.yaml');
  const { config } = resolveConfig({ file: elsewhere, environment: {}, flags: new Map() });
  const here = process.cwd();
  const kubernetes = {
    ...{ kubeconfig: undefined, kubeContext: undefined, inCluster: false, remotes: undefined },
    discoveryNamespaces: undefined,
  };
  const files = { folder: `files:${here}/objects`, registrations: `${here}/etc/r.db` };
  t.strictSame(config.registry, { ...files, ...kubernetes });
  t.equal(config.state.folder, `${here}/state`);
  t.equal(config.admin.tokenFile, '/etc/token');
});

/** An option's value by its kind, from what a file may have. */
function anyValue({ row }: (typeof optionList)[number]): fc.Arbitrary<unknown> {
  const port = fc.nat(65_535);
  const address = fc.oneof(
    port.map((port) => ({ address: '127.0.0.1', port })),
    port.map((port) => ({ address: '2001:db8::1', port })),
  );
  switch (row.kind.placeholder) {
    case '<host:port>':
      return row.flag === '--peer-admin'
        ? fc.uniqueArray(address, { selector: ({ port }) => port, minLength: 1 })
        : address;
    case '<duration>':
      return fc.integer({ min: 1_000, max: 600_000 });
    case '<name>':
      return fc.constantFrom('sh-a', 'no', '1e3', '007', 'null', 'true', '0x1f');
    case '<n>':
      return fc.nat(4);
    case '<selector>':
      return fc.constantFrom('mesh=on', '!no', 'a in (b,c),true', '0x1f notin (1e3)');
    case '<on|off>':
      return fc.boolean();
    case '<word>':
      return fc.constantFrom(...(row.kind.choices ?? []));
    default:
      return fc
        .string({ minLength: 1 })
        .map((text) => `/${text}`)
        .filter(
          (text) =>
            !text.includes('/..') && !text.includes('/.') && !text.includes('//') && !text.endsWith('/'),
        );
  }
}

t.test('the output is a file with the same meaning', async (t) => {
  const settings = fc.tuple(
    ...optionList.map((placed) =>
      anyValue(placed).map((value): Setting => ({ ...placed, value, origin: { from: 'default' } })),
    ),
  );
  fc.assert(
    fc.property(settings, (list) => {
      const { faults, values } = parseConfigFile(settingsYaml(list), '/f.yaml');
      const read = list.map(({ name }) => (values.get(name) as Given | undefined)?.value);
      t.strictSame({ faults, read }, { faults: [], read: list.map(({ value }) => value) });
      return faults.length === 0;
    }),
    { numRuns: 200 },
  );
});
