import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { z } from 'zod';
import { runDrill } from '../../../src/drill/drill.ts';
import { shapesOf } from '../../../src/drill/scenario/document/load.ts';
import { parseScenario } from '../../../src/drill/scenario/document/read.ts';
import { planScenario, scenarioDrill } from '../../../src/drill/scenario/plan.ts';
import { offsetMs } from '../../../src/drill/scenario/play.ts';
import { generateScenarioSchema } from '../../../src/drill/scenario/write-schema.ts';
import { planTopology } from '../../../src/drill/world/topology.ts';
import { outage } from './scenario-fixture.ts';

const folder = fileURLToPath(new URL('../../../src/drill/scenarios', import.meta.url));
const good = readFileSync(join(folder, 'outage-kill.yaml'), 'utf8');
const lineOf = (text: string, part: string) => text.slice(0, text.indexOf(part)).split('\n').length;

t.test('every scenario of the tree is good, by its reader and by the published schema', async (t) => {
  const [schema = ''] = Object.values(generateScenarioSchema());
  const published = z.fromJSONSchema(JSON.parse(schema));
  const names = readdirSync(folder);
  t.ok(names.length >= 6);
  for (const name of names) {
    const { scenario, faults } = parseScenario(readFileSync(join(folder, name), 'utf8'), name);
    t.strictSame(faults, [], name);
    t.equal(`${scenario?.metadata.name}.yaml`, name, 'is named after its file');
    t.equal(published.safeParse(scenario).success, true, `${name}: the schema takes it`);
  }
});

t.test('the example in docs/drills.md is good', async (t) => {
  const text = readFileSync(new URL('../../../docs/drills.md', import.meta.url), 'utf8');
  const [, example = ''] = /```yaml\n(.*?)```/s.exec(text) ?? [];
  t.strictSame(parseScenario(example, 'docs/drills.md').faults, []);
});

t.test('the published schema is that of the code', async (t) => {
  for (const [name, text] of Object.entries(generateScenarioSchema())) {
    t.equal(
      readFileSync(new URL(`../../../docs/schemas/${name}`, import.meta.url), 'utf8'),
      text,
      'run make schemas',
    );
  }
});

/** A change of the good scenario, and the message that it must give: its line is that of the first text. */
const faults: readonly (readonly [from: string, to: string, at: string, message: RegExp])[] = [
  [
    'look: isolation',
    'fill: {idc: sh-a}',
    'after: 50%',
    /fill: needs a small disk: give the world `diskKib`/,
  ],
  [
    'look: isolation',
    'clock: {idc: sh-a, ahead: 1h, behind: 1h}',
    'after: 50%',
    /clock\.behind: cannot be used with `ahead`/,
  ],
  [
    'look: isolation',
    'stop: {idc: sh-a, what: dns}',
    'after: 50%',
    /stop\.what: does not exist in this world: no Group is/,
  ],
  [
    'look: isolation',
    'gray: {idc: sh-a, group: cart, errs: 5%}',
    'after: 50%',
    /gray\.group: there is no Group 'cart': use one of checkout, catalog\./,
  ],
  [
    'look: isolation',
    'overload: {caller: sh-a, to: [checkout], rate: flood}',
    'after: 50%',
    /overload\.rate: there is no rate 'flood'/,
  ],
  [
    'failed: 0',
    'switches: [{group: cart, of: sh-a, from: steady, to: outage}]',
    'switches: [',
    /switches\[0\]\.group: there is no Group 'cart'/,
  ],
  [
    'look: isolation',
    'evacuate: {idc: sh-c, percent: 5}',
    'after: 50%',
    /evacuate\.idc: there is no IDC 'sh-c': use one of sh-a, sh-b\. Did you mean 'sh-a'\?/,
  ],
  ['failed: 0', 'share: [{of: sh-a, in: storm}]', 'share: [', /share\[0\]\.in: there is no phase 'storm'/],
  [
    'failed: 0',
    'served: [{load: crowd, in: outage, least: 9%}]',
    'served: [',
    /no load 'crowd': use one of caller-sh-a, edge/,
  ],
  [
    'look: isolation',
    'wan: {from: sh-a, to: sh-a, cut: true}',
    'after: 50%',
    /wan: must be between two different IDCs/,
  ],
  [
    'look: isolation',
    'drop: {idc: sh-a}, wan: {from: sh-a, to: sh-b}',
    'after: 50%',
    /wan: cannot be used with `drop`/,
  ],
  ['kind: Scenario', 'kind: Scene', 'kind: Scene', /: error: kind: must be Scenario/],
  ['  title: kill', '  titel: kill', '  titel', /spec\.titel: unknown field: .* Did you mean 'title'\?/],
  [
    '{at: recovery, heal: all}',
    '{at: recovery}',
    '{at: recovery}',
    /does nothing: give it one of stop, drop, kill/,
  ],
  [
    '{at: recovery, heal',
    '{at: recover, heal',
    '{at: recover',
    /no phase 'recover': use one of steady, outage/,
  ],
  [
    'kill: {idc: sh-a}',
    'kill: {idc: sh-c}',
    'kill: {idc: sh-c',
    /kill\.idc: there is no IDC 'sh-c': use one of sh-a, sh-b/,
  ],
  ['kill: {idc: sh-a}', 'kill: {idc: sh-a, group: cart}', 'kill: {', /kill\.group: there is no Group 'cart'/],
  [
    'kill: {idc: sh-a}',
    'kill: {idc: sh-a, only: [cart-1]}',
    'kill: {',
    /only\[0\]: there is no instance 'cart-1': use one of checkout-1/,
  ],
  ['kill: {idc: sh-a}', 'drop: {idc: sh-a, what: egress}', 'drop: {', /what: must be instances/],
  ['steady: 5s', 'steady: 5', 'phases: {', /phases\.steady: must be a duration/],
  ['steady: 5s', 'steady: 10ms', 'phases: {', /phases\.steady: must be from 1s to 1h/],
  ['after: 50%', 'after: 9s', 'after: 9s', /after: is after the phase has ended, which lasts 8s/],
  [
    'to: [checkout], rate: caller',
    'to: [cart], rate: caller',
    'to: [cart]',
    /no Group 'cart': use one of checkout, catalog/,
  ],
  ['rate: edge', 'rate: crowd', 'rate: crowd', /no rate 'crowd': use one of caller, edge/],
  [
    'failed: 0',
    'served: [{load: crowd, in: outage, least: 9%}]',
    'served: [',
    /no load 'crowd': use one of caller-sh-a, edge/,
  ],
  [
    'look: isolation',
    'wan: {from: sh-a, to: sh-a, cut: true}',
    'after: 50%',
    /wan: must be between two different IDCs/,
  ],
  [
    'look: isolation',
    'drop: {idc: sh-a}, wan: {from: sh-a, to: sh-b}',
    'after: 50%',
    /wan: cannot be used with `drop`/,
  ],
  ['failed: 0', 'failed: few', 'failed: few', /bounds\.failed: must be a percentage/],
  ['crossed: outage', 'crossed: storm', 'crossed: storm', /bounds\.crossed: there is no phase 'storm'/],
  [
    'world: {crossing: false}',
    'world: {crosing: false}',
    'world: {crosing',
    /control\.world\.crosing: unknown field/,
  ],
  ['idcs: [sh-a, sh-b]\n', 'idcs: [sh-a, sh-a]\n', 'idcs: [', /'sh-a' stands there twice/],
  [
    '    groups:\n',
    '    traffic: {retries: 9}\n    groups:\n',
    'traffic: {',
    /spec\.world\.traffic\.retries: /,
  ],
  [
    '    groups:\n',
    '    objects: [{kind: Idc}]\n    groups:\n',
    'objects: [',
    /world\.objects\[0\]\.apiVersion: /,
  ],
  [
    'look: isolation',
    'stop: {idc: sh-a, what: instance}',
    'after: 50%',
    /stop\.what: must be one of instances, ingress, .* It is 'instance'/,
  ],
  [
    'look: isolation',
    'stop: [{idc: sh-a}, {idc: sh-a, coumt: 1}]',
    'after: 50%',
    /stop\[1\]\.coumt: unknown field: .*/,
  ],
  [
    'look: isolation',
    'stop: {idc: sh-a, count: 54}',
    'after: 50%',
    /stop\.count: there are only \d+ of these: checkout-1/,
  ],
  ['  title: ', '  title: [', '', /error: is not YAML: /],
];

for (const [from, to, at, message] of faults) {
  t.test(`a fault is told with its line: ${to.trim()}`, async (t) => {
    t.ok(good.includes(from), 'the change is one');
    const text = good.replace(from, to);
    const { scenario, faults: found } = parseScenario(text, 'my.yaml');
    t.equal(scenario, undefined);
    t.equal(found.length >= 1, true);
    t.match(found.join('\n'), message);
    if (at !== '') t.match(found.join('\n'), new RegExp(`^my\\.yaml:${lineOf(text, at)}:\\d+: error: `, 'm'));
  });
}

t.test('steps, loads and the control are what the file says', async (t) => {
  const topology = planTopology({ id: 'aaaaaa', slot: 3 });
  const site = outage('site');
  const shapes = shapesOf(topology, site.spec.load, { caller: 500, edge: 100 });
  t.match(shapes, [
    { stream: 'caller-sh-b', idc: 'sh-b', ratePerSecond: 500, hosts: ['checkout.shop'] },
    { stream: 'caller-sh-a', idc: 'sh-a', ratePerSecond: 100 },
    { stream: 'edge', ratePerSecond: 100, hosts: ['checkout.shop', 'catalog.shop'] },
  ]);
  t.equal(offsetMs('50%', 8000), 4000);
  t.equal(offsetMs('1.5s', 8000), 1500);
  const off = planScenario(outage('drop'), { unprotected: true, quick: true });
  t.match(off, {
    world: { crossing: false, net: 'sh-a' },
    phases: { steady: 3, outage: 5 },
    label: /unprotected$/,
  });
  const { control, ...rest } = site.spec;
  t.throws(() => planScenario({ ...site, spec: rest }, { unprotected: true, quick: false }), {
    message: /cannot run unprotected/,
  });
  t.equal(scenarioDrill({ ...site, spec: { ...site.spec, seed: 7 } }).seed, 7);
});

const small = `
apiVersion: isthmus.dev/v1alpha1
kind: Scenario
metadata: {name: small}
spec:
  title: one of two instances killed, and another deregistered
  world:
    idcs: [sh-a, sh-b]
    gateways: 1
    groups: [{name: checkout, instances: 2}]
  rates: {caller: 40}
  load:
    - {caller: sh-a, to: [checkout], rate: caller, mix: [{name: GET, weight: 3}, {name: POST, weight: 1, method: POST, bodyBytes: [0, 1000]}]}
  phases: {steady: 2s, outage: 4s, recovery: 4s}
  steps:
    - {at: outage, kill: {idc: sh-a, only: [checkout-1]}}
    - {at: outage, overload: {caller: sh-b, stream: more, to: [checkout], rate: caller, for: 2s}}
    - {at: outage, after: 1s, withdraw: {idc: sh-a, only: [checkout-2]}}
    - {at: recovery, heal: all, announce: {idc: sh-a, only: [checkout-2]}}
  bounds: {silent: {}, crossed: outage, served: [{load: more, in: outage, least: 100%}], avoidable: 0, executedTwice: 0, afterLeaving: 0, loops: 0, ejections: 0, recovered: 4s}
  control:
    off: requests cannot cross to other IDCs
    proves: without it requests fail that another IDC could have served
    world: {crossing: false}
    misses: [avoidable]
`;

for (const unprotected of [false, true]) {
  t.test(
    `a scenario of one's own ${unprotected ? 'fails without its protection' : 'passes'}`,
    { timeout: 110_000 },
    async (t) => {
      const { scenario, faults: found } = parseScenario(small, 'small.yaml');
      t.strictSame(found, []);
      if (!scenario) return;
      const said: string[] = [];
      const code = await runDrill({
        name: 'small',
        drill: scenarioDrill(scenario),
        reportDir: join(t.testdir(), 'report'),
        ...(unprotected && { unprotected, expectFail: true }),
        say: (line) => said.push(line),
      });
      t.equal(code, 0);
      if (code !== 0) t.comment(said.join('\n'));
    },
  );
}
