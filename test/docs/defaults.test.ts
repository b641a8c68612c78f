import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { bootstrapCommand } from '../../src/cli/bootstrapcommand.ts';
import { deregisterCommand } from '../../src/cli/deregistercommand.ts';
import { evacuateCommand } from '../../src/cli/evacuatecommand.ts';
import { instancesCommand } from '../../src/cli/instancescommand.ts';
import { evacuateLiveCommand } from '../../src/cli/livecommand.ts';
import { runCommand } from '../../src/cli/runcommand.ts';
import { serveCommand } from '../../src/cli/servecommand.ts';
import { statusCommand } from '../../src/cli/statuscommand.ts';
import { validateCommand } from '../../src/cli/validatecommand.ts';
import { readTree } from '../support/tree.ts';
import { heldRows } from './defaults-held.ts';

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

// What a row says, and the line of code that it comes from: one does not change without the other.
const held: readonly (readonly [row: string, says: string, file: string, code: string])[] = [
  ['idle stream', '1 h', 'src/plan/retry.ts', 'idleTimeoutMs: 3_600_000,'],
  ['whole request', 'none', 'src/plan/retry.ts', 'timeoutMs: 0,'],
  ['one try', 'none', 'src/plan/retry.ts', 'perTryTimeoutMs: 0,'],
  ['`hedge`', 'false', 'src/plan/retry.ts', 'hedge: false,'],
  ['time after which to hedge', '400 ms', 'src/plan/retry.ts', 'hedgedPerTryTimeoutMs: 400,'],
  ['the same at the ingress', '0.4', 'src/plan/retry.ts', 'crossingPerTryPart = 0.4;'],
  ['`retries`', '3 after', 'src/plan/retry.ts', 'retries: 3,'],
  ['picks of an instance for a retry', '64', 'src/translate/retry.ts', 'selectionsMax = 64;'],
  [
    '`idempotentMethods`',
    'GET, HEAD, OPTIONS, TRACE',
    'src/plan/retry.ts',
    "['GET', 'HEAD', 'OPTIONS', 'TRACE'] as const",
  ],
  [
    'back-off between tries',
    '10 ms, up to 100 ms',
    'src/translate/retry.ts',
    "duration(rule.pauseMs ?? 10), max_interval: '0.100s'",
  ],
  ['body kept', '4 MiB', 'src/plan/retry.ts', 'retryBodyBytes: 4 * 2 ** 20,'],
  ['back-off for bodies', '1 ms', 'src/plan/retry.ts', 'pauseMs: 1 }'],
  ["a connection's buffer", '32 KiB', 'src/translate/http.ts', 'per_connection_buffer_limit_bytes: 32_768,'],
  ['heap of an Envoy', '2 GiB', 'src/translate/overload.ts', 'maxHeapBytesDefault = 2 * 2 ** 30;'],
  [
    'parts of it',
    '0.95: no new request',
    'src/translate/overload.ts',
    "action('stop_accepting_requests', { threshold: { value: 0.95 } })",
  ],
  [
    'parts of it',
    '0.98: no new connection',
    'src/translate/overload.ts',
    "action('stop_accepting_connections', { threshold: { value: 0.98 } })",
  ],
  ['open connections', '50,000', 'src/translate/overload.ts', 'connectionsMax = 50_000;'],
  [
    'asked again after a failure',
    '1 s, up to 10 s',
    'src/translate/dns.ts',
    "{ base_interval: '1s', max_interval: '10s' }",
  ],
  ['unknown hosts, with their port', '512', 'src/plan/passthrough.ts', 'hostsMax: 512,'],
  ['an unknown host that nobody', '60 s', 'src/plan/passthrough.ts', 'unusedMs: 60_000,'],
  ['the first request for an unknown', '5 s', 'src/plan/passthrough.ts', 'answerMs: 5_000,'],
  ['sent once more to an unknown', 'once', 'src/plan/passthrough.ts', "on: ['unsent'], retries: 1"],
  ['to connect to an external host', '5 s', 'src/plan/group.ts', 'externalConnectTimeoutMs = 5_000;'],
  ['places of the ring', '1,024', 'src/registry/parse-hash.ts', 'ringSize = 1_024;'],
  ['places of Maglev', '65,537', 'src/registry/parse-hash.ts', 'maglevSize = 65_537;'],
  ['statuses that say healthy', '200 to 299', 'src/plan/health.ts', '{ from: 200, to: 299 }'],
  ['time between two checks', '0.5 s', 'src/plan/health.ts', 'intervalMs: 500,'],
  ['time for an answer', '0.8', 'src/translate/health.ts', 'health.intervalMs * 0.8'],
  [
    'PING between gateways',
    'each 1 s, dead after 2 s',
    'src/translate/cluster.ts',
    'gatewayHttp(silenceMs = 2_000)',
  ],
  ['PING to instances', 'each 0.5 s, dead after 1 s', 'src/translate/cluster.ts', "ping('0.5s', '1s')"],
  ['TCP_USER_TIMEOUT', '30 s', 'src/plan/group.ts', 'unacknowledgedMs = 30_000;'],
  [
    'TCP keepalive to HTTP',
    '2 s, then each 1 s, 3 times',
    'src/plan/group.ts',
    '{ probes: 3, timeMs: 2_000, intervalMs: 1_000 }',
  ],
  ['`failback.ramp`', '30 s, 10 s', 'src/model/idc.ts', 'rampMs: 30_000, holdMs: 10_000'],
  ['nobody passes a check', '1 s', 'src/plan/failback.ts', 'goneMs: 1_000,'],
  ['`failback.warmup`', '30, 55, 80 and 100 %', 'src/plan/failback.ts', 'mirrorSteps: [30, 55, 80, 100],'],
  ['step of the ramp', '0.5 s', 'src/plan/failback.ts', 'stepMs: 500,'],
  ['hold after failures', '32 times', 'src/plan/failback.ts', 'holdFactorMax: 32,'],
  [
    'checks of instances by the control plane',
    '200 a second',
    'src/failback/keeper.ts',
    'checksPerSecondMax = 200;',
  ],
  ['ejection, without', '3 gateway errors', 'src/plan/outlier.ts', 'consecutiveGatewayErrors: 3,'],
  ['ejection, without', '3 s, at most 4 s', 'src/plan/outlier.ts', 'uncheckedMaxEjectionMs: 4_000,'],
  ['the same where instances are checked', '4 %', 'src/plan/outlier.ts', 'percent: 4,'],
  ['the same where instances are checked', '176 requests', 'src/plan/outlier.ts', 'requestsMin: 176,'],
  ['the same where instances are checked', 'in 8 s', 'src/plan/outlier.ts', 'intervalMs: 8_000,'],
  ['the same where instances are checked', '10 s', 'src/plan/outlier.ts', 'baseEjectionMs: 10_000,'],
  ['the same where instances are checked', '60 s', 'src/plan/outlier.ts', 'maxEjectionMs: 60_000,'],
  [
    'ejection of a gateway',
    '2 s to 5 s',
    'src/translate/cluster.ts',
    'baseEjectionMs: 2_000,\n  maxEjectionMs: 5_000,',
  ],
  ['connection to an instance', '250 ms', 'src/plan/group.ts', 'externalConnectTimeoutMs : 250)'],
  [
    'connections, pending',
    '16,384, 16,384, 16,384, 1,024',
    'src/plan/group.ts',
    'policy.maxRetries ?? 1_024',
  ],
  ['idle connection to an instance', '4 s', 'src/plan/group.ts', 'policy.idleTimeoutMs ?? 4_000'],
  ['retries under way at once', '× 3.2 s', 'src/plan/budget.ts', 'unnoticedMs: 3_200,'],
  ['retries under way at once', '50', 'src/plan/budget.ts', 'min: 50,'],
  ['`retryBudget.share`', '20 %', 'src/plan/budget.ts', 'sharePercent: 20,'],
  ['`spill.share`', '100 %', 'src/plan/capacity.ts', 'sharePercent: 100,'],
  ['share of a Group that is not critical', 'half', 'src/plan/capacity.ts', 'besideCritical: 0.5,'],
  [
    'instances that count',
    'each 1 s, 250 a second at most; dead after 2 failures',
    'src/delivery/reach-watch.ts',
    '{ everyMs: 1_000, connectMs: 500, failures: 2, perSecondMax: 250 }',
  ],
  ['headers of a request', '10 s', 'src/translate/http.ts', "request_headers_timeout: '10s'"],
  ['`edge.maxHeadersKiB`', '60 KiB, 200', 'src/model/idc.ts', 'maxHeadersKiB: 60,\n  maxHeaders: 200,'],
  [
    'wait between attempts',
    '25 ms, growing to 250 ms',
    'src/translate/tcp.ts',
    "{ base_interval: '0.025s', max_interval: '0.250s' }",
  ],
  ['log lines', '1 MiB', 'src/cli/log.ts', 'pendingBytesMax = 2 ** 20;'],
  [
    'a deregistration is remembered',
    '10 min',
    'src/registry/registrations.ts',
    '{ min: 600_000, beyondLease: 60_000 }',
  ],
  ['a start waits', '15 s', 'src/registry/peers.ts', 'startWait: 15_000,'],
  ['instances that only', '1 h', 'src/registry/peers.ts', 'keepAlone: 3_600_000,'],
  [
    'tries of a control plane that does not answer `isthmus run`',
    '0.1 to 2 s',
    'src/cli/deregistration.ts',
    '{ first: 100, most: 2_000 }',
  ],
  ['share that leaves', '100 %', 'src/model/evacuation.ts', 'percentDefault: 100,'],
  ['how long each of `steps`', '60 s', 'src/model/evacuation.ts', 'stepSecondsDefault: 60,'],
  ['where Node keeps', '.cache/isthmus', 'src/cli/compile-cache.ts', "'.cache'), 'isthmus')"],
  [
    'what home must bear',
    'half of the registered instances',
    'src/cli/evacuation-room.ts',
    '2 * well < instances',
  ],
  ['the furthest end', '72 h', 'src/model/evacuation.ts', 'lastsMsMax: 72 * 3_600_000,'],
  ['what its Envoys must not show', '20 requests', 'src/cli/proxy-counts.ts', 'requestsMin = 20;'],
  [
    'its lease',
    'each third; given up after two thirds',
    'src/cli/evacuation-lease.ts',
    'renew: 1 / 3, again: 1 / 10, lost: 2 / 3',
  ],
  ['its last while', '30 s', 'src/cli/live.ts', 'window: 30_000,'],
  ['an Envoy that it reads', '10 s', 'src/cli/live.ts', 'silentMax: 10_000,'],
  ['control planes of an IDC look', 'each 1 s', 'src/registry/evacuations.ts', 'pull: 1_000,'],
  ['control planes of an IDC look', '3 s', 'src/registry/evacuations.ts', 'startWait: 3_000,'],
  ['the clock is looked at', '10 s', 'src/pipeline.ts', 'timeLookMsMax = 10_000;'],
  ['Pause before', '1 s', 'src/serve/refusal.ts', 'pauseMs: 1_000,'],
  ['Most that is offered', '4 KiB', 'src/serve/refusal.ts', 'bytesPerSecond: 4_096,'],
];

/** Rows that are compared with nothing here: prose, and values that other tests see. A new row is in one of the two lists. */
const notCompared: readonly string[] = [
  'DNS servers',
  'a host that no Group has',
  'requests that an instance works on',
  'tries of an egress at each',
  'active checks',
  'proxies in front',
  '`edge.proxyProtocol`',
  'connection without a request',
  '`isthmus evacuate`',
  '`isthmus drill live evacuate`',
  'its folder of records',
  '`exposeReady`',
  'what an xDS client',
  // What follows is compared with the schemas and the commands, below.
  '`weight` of a DR group',
  '`exposeOutcome`',
  '`health.enabled`',
  '`class` of',
  '`sidecars`',
  'admin writes',
  'loop prevention',
  'log level',
  '`--xds` of',
  '`--namespace`',
  'hosts of a sidecar',
  '`--drain-timeout`',
  '`--linger`',
  '`--health-statuses`',
  '`--output`',
  '`--timeout`',
  'compiled filters',
];

t.test('defaults are those of the code', async (t) => {
  const rows = tables(read('docs/defaults.md')).flatMap((table) => table.rows.slice(2));
  for (const [row, says, file, code] of [...held, ...heldRows]) {
    const found = rows.find(([what = '']) => what.startsWith(row));
    t.ok(found?.[1]?.includes(says), `${row}: ${says}`);
    t.ok(read(file).includes(code), `${file}: ${code}`);
  }
  const known = [...[...held, ...heldRows].map(([row]) => row), ...notCompared];
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
  runCommand(),
  deregisterCommand(),
  instancesCommand(),
  evacuateCommand(),
  evacuateLiveCommand(),
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
