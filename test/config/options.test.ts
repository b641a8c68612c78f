import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import t from 'tap';
import { configCommand } from '../../src/cli/commands/config.ts';
import { serveCommand } from '../../src/cli/commands/serve.ts';
import { parseConfigFile } from '../../src/config/config-file.ts';
import { variableOf } from '../../src/config/option.ts';
import { optionList } from '../../src/config/options.ts';
import { schemaOf } from '../../src/config/schema.ts';
import { madeFromOptions } from '../../src/config/write-docs.ts';
import { guardLimits } from '../../src/delivery/deletion/guard.ts';
import { lossRule } from '../../src/registry/lastgood/loss-guard.ts';
import { peerTimes } from '../../src/registry/registrations/peers.ts';

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');

t.test('the published schema and the table in the docs are those of the options', async (t) => {
  for (const [path, make] of Object.entries(madeFromOptions)) {
    const now = read(path);
    t.equal(make(now), now, `${path}: run make schemas`);
  }
  t.throws(() => madeFromOptions['docs/defaults.md']?.('a page without a table'), /lacks the lines/);
});

t.test('flags are those of the options, and no others', async (t) => {
  const flags = ({ options }: Command) =>
    options.map(({ long, defaultValueDescription: said }) => [long, said]);
  const wanted = optionList.map(({ row }) => [row.flag, row.byDefault]);
  t.strictSame(flags(serveCommand()), [['--file', undefined], ...wanted]);
  const print = configCommand().commands.find((command) => command.name() === 'print') ?? new Command();
  t.strictSame(flags(print), [['--file', undefined], ...wanted, ['--output', undefined]]);
});

t.test('each option is named once, and its default is one that it takes, in a file too', async (t) => {
  const [names, flags] = [optionList.map(({ name }) => name), optionList.map(({ row }) => row.flag)];
  for (const list of [names, flags, optionList.map(variableOf)])
    t.equal(new Set<string>(list).size, optionList.length);
  for (const { name, row } of optionList) {
    t.ok(row.words !== '' && row.kind.range !== '', name);
    if (row.byDefault === undefined) continue;
    const value = row.kind.fromText(row.byDefault);
    const inFile = row.kind.toFile(value);
    t.ok(schemaOf(row.kind.shape).safeParse(inFile).success, name);
    t.strictSame(row.kind.fromFile(inFile, '/'), value, name);
  }
});

t.test('the defaults of the parts of a control plane are the same', async (t) => {
  const byDefault = (name: string) => {
    const row = optionList.find((one) => one.name === name)?.row;
    return row?.kind.fromText(row.byDefault ?? '');
  };
  t.equal(byDefault('deletions.ackLimit'), guardLimits.ackMsMax);
  t.equal(byDefault('deletions.grace'), lossRule.soleMs);
  t.equal(byDefault('deletions.reconnectLimit'), guardLimits.reconnectMsMax);
  t.equal(byDefault('peers.startLimit'), peerTimes.startWait);
  t.equal(byDefault('peers.keepLimit'), peerTimes.keepAlone);
});

t.test('files that the docs show are valid', async (t) => {
  const page = read('docs/commands.md');
  const shown = [...page.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, text = '']) => text);
  const files = shown.filter((text) => text.includes('kind: ControlPlaneConfig'));
  t.ok(files.length > 0);
  for (const text of [...files, read('docs/examples/isthmus.yaml')])
    t.strictSame(parseConfigFile(text, 'f.yaml').faults, []);
});
