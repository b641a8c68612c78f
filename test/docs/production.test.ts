import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { configCommand } from '../../src/cli/commands/config.ts';
import { serveCommand } from '../../src/cli/commands/serve.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';

const root = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

const dir = mkdtempSync(join(tmpdir(), 'isthmus-production-'));
t.teardown(() => rmSync(dir, { recursive: true }));

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels?: { readonly severity?: string };
  readonly annotations?: { readonly summary?: string };
}

const rules: readonly Rule[] = parse(read('deploy/prometheus/alerts.yaml')).groups.flatMap(
  ({ rules }: { rules: Rule[] }) => rules,
);

/** Labels of each metric that a control plane exports, by name; those of every series are left out. */
async function exportedMetrics(): Promise<ReadonlyMap<string, readonly string[]>> {
  const metrics = createMetrics('sh-a');
  metrics.registrations.readFrom(() => ({}));
  metrics.remembered.readFrom(() => ({}));
  metrics.peers.readFrom(() => []);
  metrics.xdsLevels.readFrom(() => ({}));
  metrics.failbackShare.readFrom(() => new Map());
  metrics.eventsDropped.readFrom(() => 0);
  metrics.failedOver.readFrom(() => 0);
  // A histogram of times says its labels with its first series.
  for (const times of [metrics.eventToAck, metrics.eventToLastAck]) times.series('CDS', 'files').record(1);
  metrics.pushStage.series('ack', 'CDS', 'files').record(1);
  metrics.deletionRelease.series('acked').record(1);
  const found = new Map<string, readonly string[]>();
  for (const one of metrics.registry.getMetricsAsArray() as unknown as {
    name: string;
    type?: string;
    labelNames?: string[];
    get(): Promise<{ type: string; values: { labels: object }[] }>;
  }[]) {
    const { type, values } = await one.get();
    const labels = one.labelNames ?? Object.keys(values[0]?.labels ?? {});
    const names =
      type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => one.name + end) : [one.name];
    for (const name of names) found.set(name, labels);
  }
  return found;
}

const ofEverySeries = ['idc', 'instance', 'job', 'le'];

/** Metrics and labels that rules name and nobody exports. */
function unknownIn(all: readonly Rule[], metrics: ReadonlyMap<string, readonly string[]>): string[] {
  return all.flatMap(({ alert, expr, annotations }) => {
    const names = [...new Set(expr.match(/\b(?:isthmus|nodejs|process)_\w+/g) ?? [])];
    const labels = [
      ...[...expr.matchAll(/\{([^}]*)\}/g)].flatMap(([, list = '']) => list.match(/\w+(?=\s*[!=]~?)/g) ?? []),
      ...[...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) =>
        list.split(',').map((l) => l.trim()),
      ),
      ...[...(annotations?.summary ?? '').matchAll(/\$labels\.(\w+)/g)].map(([, label = '']) => label),
    ];
    const known = [...ofEverySeries, ...names.flatMap((name) => metrics.get(name) ?? [])];
    return [
      ...names.filter((name) => !metrics.has(name)).map((name) => `${alert}: no metric ${name}`),
      ...labels.filter((label) => !known.includes(label)).map((label) => `${alert}: no label ${label}`),
      ...(names.length === 0 && !expr.startsWith('up{') ? [`${alert}: no metric`] : []),
    ];
  });
}

t.test('alerts are on metrics and labels that control planes export', async (t) => {
  const metrics = await exportedMetrics();
  t.ok(rules.length > 15 && metrics.size > 40, `${rules.length} rules, ${metrics.size} metrics`);
  t.strictSame(unknownIn(rules, metrics), []);
  for (const { alert, labels, annotations } of rules) {
    t.match(labels?.severity, /^(?:critical|warning)$/, alert);
    t.match(annotations?.summary, /\.$|disk full\?$/, alert);
  }
  t.strictSame(
    unknownIn(
      [
        { alert: 'A', expr: 'isthmus_nack_total > 0' },
        { alert: 'B', expr: 'sum by (idc, kind) (isthmus_nacks_total{typ="LDS"})' },
        {
          alert: 'C',
          expr: 'isthmus_event_to_ack_seconds > 1',
          annotations: { summary: '{{ $labels.peer }}' },
        },
        { alert: 'D', expr: 'vector(1)' },
      ],
      metrics,
    ),
    [
      'A: no metric isthmus_nack_total',
      'B: no label typ',
      'B: no label kind',
      'C: no metric isthmus_event_to_ack_seconds',
      'C: no label peer',
      'D: no metric',
    ],
    'and what is wrong is found',
  );
});

t.test('each metric that control planes export is in the documentation', async (t) => {
  const pages = ['status', 'registration', 'lastgood', 'trail'].map((page) => read(`docs/${page}.md`)).join();
  const names = [...(await exportedMetrics()).keys()].filter((name) => name.startsWith('isthmus_'));
  t.ok(names.length > 20, `${names.length}`);
  const missingIn = (text: string) =>
    names.filter((name) => !new RegExp(`\\b${name.replace(/_(?:bucket|sum|count)$/, '')}\\b`).test(text));
  t.strictSame(missingIn(pages), []);
  t.strictSame(missingIn(pages.replaceAll('isthmus_acks_total', '')), ['isthmus_acks_total']);
});

t.test('the page says what to do about each alert, and about no other', async (t) => {
  const named = [...read('docs/production.md').matchAll(/^\| `(Isthmus\w+)` \| \S/gm)].map(
    ([, name]) => name,
  );
  t.strictSame(
    named,
    rules.map(({ alert }) => alert),
  );
});

t.test('Prometheus takes the rules and the scrape configuration', async (t) => {
  const scrape = parse(read('deploy/prometheus/scrape.yaml'));
  t.match(scrape, {
    rule_files: ['alerts.yaml'],
    scrape_configs: [{ job_name: 'isthmus', metrics_path: '/metrics' }, {}],
  });
  for (const name of ['alerts.yaml', 'scrape.yaml'])
    copyFileSync(new URL(`deploy/prometheus/${name}`, root), join(dir, name));
  const { error, status, stdout, stderr } = spawnSync(
    'promtool',
    ['check', 'config', join(dir, 'scrape.yaml')],
    {
      encoding: 'utf8',
    },
  );
  if (error !== undefined) return t.comment('promtool is not installed: the files were parsed as YAML only');
  t.equal(status, 0, `${stdout}${stderr}`);
});

/** Settings of a unit by section and key, each with its values in order. */
type Unit = ReadonlyMap<string, readonly string[]>;

/** Parses a unit file. Throws where a line is no comment, section or setting. */
function parseUnit(text: string): Unit {
  const settings = new Map<string, string[]>();
  let section = '';
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const header = /^\[(Unit|Service|Install)\]$/.exec(line)?.[1];
    if (header !== undefined) {
      section = header;
      continue;
    }
    const [, key, value] = /^([A-Z]\w+)=(.*)$/.exec(line) ?? [];
    if (key === undefined || value === undefined || section === '') throw new Error(`no setting: ${line}`);
    settings.set(`${section}.${key}`, [...(settings.get(`${section}.${key}`) ?? []), value]);
  }
  return settings;
}

const units = ['isthmus.service', 'isthmus-envoy@.service'] as const;
const unitText = (name: string) => read(`deploy/systemd/${name}`);

t.test('the units run commands that exist, and end as they are told', async (t) => {
  const all = units.map((name) => parseUnit(unitText(name)));
  for (const [i, unit] of all.entries()) {
    t.strictSame(unit.get('Service.Restart'), ['always'], `${units[i]}`);
    t.strictSame(unit.get('Install.WantedBy'), ['multi-user.target'], `${units[i]}`);
    t.match(unit.get('Service.User'), [/^\w+$/], `${units[i]}`);
    t.match(read('deploy/systemd/isthmus.sysusers'), new RegExp(`^u ${unit.get('Service.User')} - `, 'm'));
  }
  const [plane] = all;
  const commands = ['ExecStartPre', 'ExecStart'].flatMap((key) => plane?.get(`Service.${key}`) ?? []);
  t.strictSame(
    commands.map((line) => line.split(' ').slice(0, 3)),
    [
      ['/usr/bin/isthmus', 'config', 'check'],
      ['/usr/bin/isthmus', 'serve', '--file'],
    ],
  );
  t.ok(configCommand().commands.some((command) => command.name() === 'check'));
  t.ok(serveCommand().options.some(({ long }) => long === '--file'));
  const grace = Number.parseInt(parse(read('docs/examples/isthmus.yaml')).shutdown.grace, 10);
  t.equal(Number(plane?.get('Service.TimeoutStopSec')), grace + 5);
  t.throws(() => parseUnit('[Service]\nRestart always\n'), /no setting: Restart always/);
  t.throws(() => parseUnit('Restart=always\n'), /no setting/);
});

/** What systemd says of a unit; undefined: this machine has no systemd-analyze. */
function verify(name: string, text: string): string | undefined {
  // The programs need not be on this machine, nor the instance of a template.
  const file = join(dir, name.replace('@.', '@gateway.'));
  writeFileSync(file, text.replaceAll(/\/usr\/bin\/(?:isthmus|envoy)/g, process.execPath));
  const run = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
  return run.error === undefined ? `${run.stdout}${run.stderr}` : undefined;
}

t.test('systemd takes the units', async (t) => {
  const said = units.map((name) => verify(name, unitText(name)));
  if (said.includes(undefined))
    return t.comment('systemd-analyze is not installed: the units were parsed only');
  t.strictSame(said, ['', '']);
  t.match(verify('wrong.service', unitText(units[0]).replace('RestartSec=', 'RestrtSec=')), /RestrtSec/);
});

t.test('the page names the files that there are', async (t) => {
  const page = read('docs/production.md');
  for (const name of [...units, 'isthmus.sysusers']) t.ok(page.includes(`| \`${name}\` |`), name);
});
