import { execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { isolationChecks } from '../../../src/drill/measure/isolation.ts';
import { scenarioRows } from '../../../src/drill/scenario/bounds.ts';
import { parseScenario, readScenarioFile } from '../../../src/drill/scenario/document/read.ts';
import { rowIdsOf } from '../../../src/drill/scenario/document/row-names.ts';
import { goodMeasurement } from '../fixture.ts';
import { outage } from './scenario-fixture.ts';

const folder = fileURLToPath(new URL('../../../src/drill/scenarios', import.meta.url));
const main = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
const good = readFileSync(join(folder, 'outage-kill.yaml'), 'utf8');
const { NODE_OPTIONS: _, ...env } = process.env;

/** What is told of the good scenario with one change. */
function told(from: string, to: string): { isGood: boolean; text: string } {
  if (!good.includes(from)) throw new Error(`${from} is not there`);
  const { scenario, faults } = parseScenario(good.replace(from, to), 'my.yaml');
  return { isGood: scenario !== undefined, text: faults.join('\n') };
}

t.test('the rows of a scenario are known before it runs', async (t) => {
  const { spec } = outage('kill');
  const rows = scenarioRows(goodMeasurement(), spec.bounds, isolationChecks).map(({ id }) => id);
  const ids = rowIdsOf(spec);
  // Where no Group asks for hedging, which is so in the fixture, there is no row of it.
  t.strictSame(
    ids.filter((id) => id !== 'hedged-outage-p99'),
    rows,
  );
  t.ok(ids.includes('hedged-outage-p99'));
});

const wrong: readonly (readonly [from: string, to: string, message: RegExp])[] = [
  [
    'misses: [success-rate]',
    'misses: [sucess-rate]',
    /control\.misses\[0\]: there is no row 'sucess-rate': .*Did you mean 'success-rate'\?/,
  ],
  [
    'misses: [success-rate]',
    'misses: [[success-rate, goodput]]',
    /misses\[0\]\[1\]: there is no row 'goodput'/,
  ],
  ['holds: [struck-instances-silent]', 'holds: [silent]', /control\.holds\[0\]: there is no row 'silent'/],
  ['holds: [struck-instances-silent]', 'holds: [success-rate]', /holds\[0\]: is also in `misses`/],
  [
    'failed: 0',
    'failed: 0\n    switches: [{group: checkout, of: sh-c, from: steady, to: outage}]',
    /switches\[0\]\.of: there is no IDC 'sh-c': use one of sh-a, sh-b\. Did you mean 'sh-a'\?/,
  ],
  ['failed: 0', 'failed: 0\n    share: [{of: sh-c, in: steady}]', /share\[0\]\.of: there is no IDC 'sh-c'/],
  [
    'failed: 0',
    'failed: 0\n    share: [{of: sh-a, in: steady, load: callr-sh-a}]',
    /share\[0\]\.load: there is no load 'callr-sh-a': .*Did you mean 'caller-sh-a'\?/,
  ],
  [
    'failed: 0',
    'failed: 0\n    share: [{of: sh-a, in: steady, group: chekout}]',
    /share\[0\]\.group: there is no Group 'chekout': .*Did you mean 'checkout'\?/,
  ],
  [
    'failed: 0',
    'failed: 0\n    share: [{of: sh-a, in: steady, after: 9s}]',
    /share\[0\]\.after: is after the phase/,
  ],
  [
    'failed: 0',
    'failed: 0\n    share: [{of: sh-a, in: steady, least: 60%, most: 40%}]',
    /share\[0\]\.least: is more than `most`/,
  ],
  ['failed: 0', 'failed: 0\n    unaware: {idc: sh-b, times: 2, or: 50ms}', /there is no load 'caller-sh-b'/],
  [
    'phases: {steady: 5s, outage: 8s, recovery: 6s, steady again: 5s}',
    'phases: {calm: 5s, outage: 8s, recovery: 6s, calm again: 5s}',
    /bounds\.home: needs a phase whose name begins with `steady`/,
  ],
  [
    'look: isolation',
    'overload: {caller: sh-a, to: [checkout], rate: caller}',
    /overload: another load is named 'caller-sh-a': give this one a stream/,
  ],
  ['after: 50%', 'after: 7s', /after: is after the phase has ended, which with --quick lasts 5s/],
  [
    '{name: catalog, instances: 1',
    '{name: catalog, instances: 1, slots: {sh-z: 4}',
    /slots\.sh-z: there is no IDC/,
  ],
  [
    'world: {crossing: false}',
    'world: {groups: [{name: checkout, instances: 2}]}',
    /there is no Group 'catalog': use one of checkout\. This applies to the negative control\./,
  ],
  [
    'world: {crossing: false}',
    'world: {crossing: false}\n    steps: [{at: outage, kill: {idc: sh-d}}]',
    /my\.yaml:\d+:\d+: error: spec\.control\.steps\[0\]\.kill\.idc: there is no IDC 'sh-d'/,
  ],
  [
    '    groups:\n',
    '    drGroup: {capacty: {concurrentPerInstance: 5}}\n    groups:\n',
    /world\.drGroup\.capacty: unknown field/,
  ],
  [
    '    groups:\n',
    '    drGroup: {traffic: {retries: 1}}\n    groups:\n',
    /drGroup\.traffic: is not read here/,
  ],
  [
    'instances: 1, hedge: true}',
    'instances: 1, annotations: {isthmus.dev/timeut: 3s}}',
    /groups\[1\]\.annotations\["isthmus\.dev\/timeut"\]: unknown annotation.*'isthmus\.dev\/timeout'/,
  ],
  [
    '    groups:\n',
    '    objects: [{apiVersion: isthmus.dev/v1alpha1, kind: Evacuation, metadata: {name: e}, spec: {idc: sh-c, expires: 2036-01-01T00:00:00Z}}]\n    groups:\n',
    /objects\[0\]\.spec\.idc: no Idc is named 'sh-c'/,
  ],
];

for (const [from, to, message] of wrong) {
  t.test(`a name that nothing has, or a time that does not fit: ${to.trim()}`, async (t) => {
    const { isGood, text } = told(from, to);
    t.equal(isGood, false);
    t.match(text, message);
  });
}

const rule = (spec: string) =>
  `    objects: [{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: r, namespace: shop}, spec: ${spec}}]\n    groups:\n`;

t.test('what is allowed and probably not meant is told, and does not stop it', async (t) => {
  for (const [to, message] of [
    [
      rule('{host: checkout.shop, trafficPolicy: {outlierDetection: {consecutive5xxErors: 3}}}'),
      /warning: spec\.world\.objects\[0\]\.spec\.trafficPolicy\.outlierDetection\.consecutive5xxErors: .*Did you mean/,
    ],
    [
      rule('{host: chekout.shop}'),
      /warning: spec\.world\.objects\[0\]\.spec\.host: no ServiceEntry declares chekout\.shop.*'checkout\.shop'/,
    ],
    [
      '    drGroup: {hopLimit: 0, failback: {ramp: 5s}}\n    groups:\n',
      /warning: spec\.world\.drGroup\.failback: has no effect/,
    ],
    [
      '    traffic: {retries: 0, hedge: true}\n    groups:\n',
      /warning: spec\.world\.traffic\.hedge: has no effect/,
    ],
  ] as const) {
    const { isGood, text } = told('    groups:\n', to);
    t.equal(isGood, true, text);
    t.match(text, message);
  }
});

t.test('the command shows warnings, and takes the scenario', async (t) => {
  const file = join(
    t.testdir({ 'my.yaml': good.replace('    groups:\n', rule('{host: chekout.shop}')) }),
    'my.yaml',
  );
  const { code, out, err } = await isthmus('drill', 'run', '--check', file);
  t.equal(code, 0, err);
  t.match(err, /warning: spec\.world\.objects\[0\]\.spec\.host: /);
  t.match(out, /outage-kill is good, but for a warning/);
});

t.test('scenarios that have no end, or are none', { timeout: 60_000 }, async (t) => {
  const dir = t.testdir();
  t.match(readScenarioFile('/dev/zero').faults, [/cannot be read: it is larger than 32 MiB/]);
  t.match(readScenarioFile(dir).faults, [/cannot be read: it is a folder/]);
  const link = join(dir, 'link.yaml');
  symlinkSync('/dev/zero', link);
  t.match(readScenarioFile(link).faults, [/larger than/]);
  const pipe = join(dir, 'pipe.yaml');
  execFileSync('mkfifo', [pipe]);
  t.match(readScenarioFile(pipe).faults, [/holds no scenario/], 'nobody writes to it: it is not waited for');
  // What a shell's <(command) is: a pipe whose writer takes its time.
  writeFileSync(join(dir, 'my.yaml'), good);
  const shell = `"$0" "$1" drill run --check <(sleep 0.3; cat "$2")`;
  const { code, out } = await run('bash', '-c', shell, process.execPath, main, join(dir, 'my.yaml'));
  t.equal(code, 0);
  t.match(out, /outage-kill is good$/m);
});

t.test('the scenarios of the tree are told nothing', async (t) => {
  for (const name of readdirSync(folder)) t.strictSame(readScenarioFile(join(folder, name)).faults, [], name);
});

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

const isthmus = (...args: string[]): Promise<Ended> => run(process.execPath, main, ...args);

function run(command: string, ...args: string[]): Promise<Ended> {
  const child = spawn(command, args, { env });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err })));
}
