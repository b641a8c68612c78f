import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { bootstrapCommand } from '../../src/cli/commands/bootstrap.ts';
import { capacityCommand } from '../../src/cli/commands/capacity.ts';
import { deregisterCommand } from '../../src/cli/commands/deregister.ts';
import { evacuateLiveCommand } from '../../src/cli/commands/drill-live.ts';
import { evacuateCommand } from '../../src/cli/commands/evacuate.ts';
import { instancesCommand } from '../../src/cli/commands/instances.ts';
import { captureCommand } from '../../src/cli/commands/kube/capture.ts';
import { injectCommand } from '../../src/cli/commands/kube/inject.ts';
import { registrarCommand } from '../../src/cli/commands/kube/registrar.ts';
import { releaseFinalizersCommand } from '../../src/cli/commands/kube/release-finalizers.ts';
import { webhookCommand } from '../../src/cli/commands/kube/webhook.ts';
import { statusCommand } from '../../src/cli/commands/look/status.ts';
import { runCommand } from '../../src/cli/commands/run.ts';
import { serveCommand } from '../../src/cli/commands/serve.ts';
import { caCommand } from '../../src/cli/commands/trust/ca.ts';
import { identityCommand } from '../../src/cli/commands/trust/identity.ts';
import { validateCommand } from '../../src/cli/commands/validate.ts';
import { optionList } from '../../src/config/options.ts';
import { readTree } from '../support/tidy/tree.ts';
import { heldByEvents } from './held-events.ts';
import { heldByKubernetes } from './held-kubernetes.ts';
import { heldByObjects } from './held-objects.ts';
import { heldByPlanes } from './held-planes.ts';
import { heldByProxies } from './held-proxies.ts';
import { heldByTrust } from './held-trust.ts';

const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

/** Rows of a page's tables, header and rule included, each with its line and the header's number of cells. */
function tables(text: string): { readonly line: number; readonly rows: readonly string[][] }[] {
  const found: { line: number; rows: string[][] }[] = [];
  let open = false;
  let fenced = false;
  for (const [at, line] of text.split('\n').entries()) {
    if (line.trimStart().startsWith('```')) fenced = !fenced;
    const isRow = !fenced && line.startsWith('|');
    if (isRow && !open) found.push({ line: at + 1, rows: [] });
    open = isRow;
    const cells = line.replaceAll(/`[^`]*`/g, (code) => code.replaceAll('|', ' ')).split(/(?<!\\)\|/);
    if (isRow) found.at(-1)?.rows.push(cells.slice(1, -1).map((cell) => cell.trim()));
  }
  return found;
}

/** What is wrong with the tables of a page. */
function faultsOf(path: string, text: string): string[] {
  return tables(text).flatMap(({ line, rows: [header = [], rule = [], ...rows] }) => [
    ...(rule.length > 0 && rule.every((cell) => /^:?-+:?$/.test(cell)) ? [] : [`${path}:${line}: no header`]),
    ...rows.flatMap((row, i) =>
      row.length === header.length ? [] : [`${path}:${line + 2 + i}: ${row.length} cells`],
    ),
  ]);
}

t.test('tables of the docs are whole', async (t) => {
  const docs = readTree(fileURLToPath(root)).filter(({ path }) => /^(docs\/.*|[^/]*)\.md$/.test(path));
  t.ok(docs.length > 20);
  t.strictSame(
    docs.flatMap(({ path, text }) => faultsOf(path, text)),
    [],
  );
  t.strictSame(faultsOf('a', '| a | b |\n|---|---|\n| 1 | 2 |\n\n| 3 | 4 |'), ['a:5: no header']);
  t.strictSame(faultsOf('a', '| a | b |\n|---|---|\n| 1 |'), ['a:3: 1 cells']);
});

const held = [
  ...heldByProxies,
  ...heldByObjects,
  ...heldByPlanes,
  ...heldByEvents,
  ...heldByTrust,
  ...heldByKubernetes,
];

/**
 * Rows that are compared with nothing here: prose, and values that other tests see. A new row is in one of
 * the two lists.
 */
const notCompared: readonly string[] = [
  'DNS servers',
  'a host that no Group has',
  'concurrent requests of an instance',
  'tries of an egress at each',
  'active checks',
  'proxies in front',
  '`edge.proxyProtocol`',
  'connection without a request',
  '`isthmus evacuate`',
  '`isthmus drill live evacuate`',
  'its folder of records',
  '`exposeReady`',
  // What follows is compared with the schemas and the commands, below.
  '`weight` of a DR group',
  '`exposeOutcome`',
  '`peerTls.mode`',
  '`egressTls`',
  '`health.enabled`',
  '`class` of',
  '`sidecars`',
  '`--ready-port`',
  '`--log-level` of',
  '`--xds` of',
  '`--namespace`',
  'hosts of a sidecar',
  '`--drain-timeout`',
  '`--linger`',
  '`--health-statuses`',
  '`--output`',
  '`--timeout`',
];

t.test('defaults are those of the code', async (t) => {
  const rows = tables(read('docs/defaults.md')).flatMap((table) => table.rows.slice(2));
  for (const [row, says, file, code] of held) {
    const found = rows.find(([what = '']) => what.startsWith(row));
    t.ok(found?.[1]?.includes(says), `${row}: ${says}`);
    t.ok(read(file).includes(code), `${file}: ${code}`);
  }
  const options = optionList.map(({ name }) => `\`${name}\``);
  const known = [...held.map(([row]) => row), ...notCompared, ...options];
  const unknown = rows
    .map(([what = '']) => what)
    .filter((what) => !known.some((row) => what.startsWith(row)));
  t.strictSame(unknown, []);
});

const commands = [
  serveCommand(),
  statusCommand(),
  validateCommand(),
  bootstrapCommand(),
  capacityCommand(),
  runCommand(),
  deregisterCommand(),
  instancesCommand(),
  evacuateCommand(),
  caCommand(),
  identityCommand(),
  evacuateLiveCommand(),
  injectCommand(),
  webhookCommand(),
  captureCommand(),
  registrarCommand(),
  releaseFinalizersCommand(),
];

t.test('each flag that has a default is there', async (t) => {
  const text = read('docs/defaults.md');
  const flags = commands.flatMap((command) =>
    command.options
      .filter(
        ({ defaultValue, description, negate }) =>
          !negate && (defaultValue !== undefined || description.includes('(default:')),
      )
      .map(({ long, defaultValue, defaultValueDescription }) => {
        const value =
          defaultValueDescription ?? (typeof defaultValue === 'object' ? undefined : defaultValue);
        return { command: command.name(), long: long ?? '', value };
      }),
  );
  t.ok(flags.length > 20);
  // What a command says of its own names: nothing is decided by it.
  const named = new Set(['--address', '--name', '--label', '--locality']);
  for (const { command, long, value } of flags.filter(({ long }) => !named.has(long))) {
    const rows = text.split('\n').filter((line) => new RegExp(`${long}(?![a-z-])`).test(line));
    t.ok(rows.length > 0, `${command} ${long}`);
    if (value === undefined) continue;
    const shown = String(value).replace('200-299', '200 to 299').replaceAll(' ', '');
    t.ok(
      rows.some((row) => row.replaceAll(' ', '').includes(shown)),
      `${command} ${long}: ${value}`,
    );
  }
});

t.test('defaults that the schemas state are those of the tables', async (t) => {
  const rows = tables(read('docs/defaults.md')).flatMap((table) => table.rows.slice(2));
  let count = 0;
  const look = (schema: unknown, name: string): void => {
    if (typeof schema !== 'object' || schema === null) return;
    const { default: byDefault, properties } = schema as { default?: unknown; properties?: object };
    if (byDefault !== undefined) {
      count += 1;
      t.ok(
        rows.some(([what = '', value = '']) => saysField(what, name) && value !== ''),
        name,
      );
    }
    for (const [key, inner] of Object.entries(properties ?? {})) look(inner, key);
    for (const [key, inner] of Object.entries(schema)) if (key !== 'properties') look(inner, name);
  };
  for (const kind of ['idc', 'drgroup', 'evacuation'])
    look(JSON.parse(read(`docs/schemas/${kind}.json`)), kind);
  t.ok(count > 15, `${count} defaults`);
});

/** Whether a row is about a field: it names the field, or says what it is. */
function saysField(what: string, name: string): boolean {
  const words: Readonly<Record<string, string>> = {
    statuses: 'statuses that say healthy',
    interval: 'time between two checks',
    percent: 'share that leaves',
    stepSeconds: 'how long each of `steps`',
  };
  return what.includes(`\`${name}\``) || what.includes(`.${name}\``) || what.startsWith(words[name] ?? '\0');
}
