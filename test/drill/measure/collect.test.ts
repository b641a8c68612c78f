import { appendFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseAllDocuments } from 'yaml';
import { createProgressMeter } from '../../../src/drill/load/progress.ts';
import { formatSample, parseSamples, type Sample } from '../../../src/drill/load/sample.ts';
import { readAccessLog } from '../../../src/drill/measure/collect.ts';
import { machineClock } from '../../../src/drill/time.ts';
import { createPaths } from '../../../src/drill/world/paths.ts';
import { writeRegistry } from '../../../src/drill/world/registry-files.ts';
import { idcOf, planTopology, shopWorld } from '../../../src/drill/world/topology.ts';

const proxy = { idc: 'sh-b', name: 'ingress-1' };
const line = (more: object) =>
  `${JSON.stringify({ time: new Date().toISOString(), listener: 'peer', status: 200, flags: '-', trail: 'sh-a,sh-b', attempts: 1, duration: 7, headers: { 'x-drill-id': 'x:1' }, ...more })}\n`;

t.test(
  'an access log: load lines as requests, every line for the counters, cut lines not at all',
  async (t) => {
    const file = join(t.testdir(), 'access.jsonl');
    writeFileSync(
      file,
      line({}) +
        line({ headers: { 'x-drill-id': null }, path: '/healthz' }) +
        line({ headers: { 'x-drill-id': 'probe:4' } }) +
        '{"listener":"pe',
    );
    const { lines, linesSinceMark } = readAccessLog(proxy, file, 0);
    const at = lines[0]?.at ?? Number.NaN;
    t.ok(Math.abs(at - machineClock.now()) < 60_000, 'on the monotonic clock');
    t.same(lines, [
      {
        at,
        durationMs: 7,
        proxy: 'sh-b/ingress-1',
        idc: 'sh-b',
        listener: 'peer',
        id: 'x:1',
        status: 200,
        flags: '',
        trail: 'sh-a,sh-b',
        attempts: 1,
        outcome: '',
        upstream: '',
      },
    ]);
    t.same([...linesSinceMark], [['peer', 3]]);
  },
);

t.test('after a restart only later lines are compared with the counters, but all are read', async (t) => {
  const file = join(t.testdir(), 'access.jsonl');
  writeFileSync(file, line({}) + line({ headers: { 'x-drill-id': 'x:2' }, path: '/ü' }));
  const mark = statSync(file).size;
  appendFileSync(file, line({ headers: { 'x-drill-id': 'x:3' }, listener: 'edge' }));
  const { lines, linesSinceMark } = readAccessLog(proxy, file, mark);
  t.same(
    lines.map((each) => each.id),
    ['x:1', 'x:2', 'x:3'],
  );
  t.same([...linesSinceMark], [['edge', 1]]);
  t.same(readAccessLog(proxy, join(t.testdir(), 'none'), 0).lines, []);
});

t.test('samples survive their file; a last line that was cut is left out', async (t) => {
  const sample: Sample = {
    id: 'edge:1',
    stream: 'edge',
    due: 1.001,
    sent: 2,
    end: 3.5,
    status: 200,
    idc: 'sh-a',
    instance: 'sh-a/x',
    target: 'a:1',
    connectedAt: 0.5,
    error: '',
  };
  const text = `${formatSample(sample)}\n${formatSample({ ...sample, id: 'edge:2' })}\n["edge:3",1.`;
  t.same(parseSamples(text, 'edge'), [sample, { ...sample, id: 'edge:2' }]);
  t.throws(() => parseSamples('garbage\n', 'edge'), SyntaxError);
});

t.test('progress: rate, failures and where requests land, since the line before', async (t) => {
  const meter = createProgressMeter(['sh-a', 'sh-b']);
  meter.take({
    stream: 'edge',
    done: 100,
    failed: 2,
    byIdc: { 'sh-a': 49, 'sh-b': 49 },
    latencies: [1, 2, 300],
    last: false,
  });
  t.match(
    meter.line(7000, 'outage', 500),
    /^ {2}7 s {2}outage {9}200 req\/s {5}2 failed \(2 in all\) {2}sh-a {2}50 % {2}sh-b {2}50 % {2}p99 +300\.0/,
  );
  meter.take({ stream: 'edge', done: 10, failed: 0, byIdc: { 'sh-b': 10 }, latencies: [1], last: false });
  t.match(
    meter.line(8000, 'outage', 1000),
    /10 req\/s {5}0 failed \(2 in all\) {2}sh-a {3}0 % {2}sh-b 100 %/,
  );
  t.match(meter.line(9000, 'outage', 1000), /p99 +-/);
});

t.test(
  'the registry folder: each IDC its own instances, and no DR group in the negative control',
  async (t) => {
    const paths = createPaths(t.testdir());
    const kindsIn = (name: string, crossing: boolean) => {
      const topology = planTopology({ id: 'aaaaaa', slot: 0, world: { ...shopWorld, crossing } });
      const dir = paths.registry(`${name}-${crossing}`);
      writeRegistry(dir, topology, idcOf(topology, name));
      return readdirSync(dir)
        .map((file) => parseAllDocuments(readFileSync(join(dir, file), 'utf8'))[0]?.toJS())
        .map(
          (object) =>
            `${object.kind}/${object.metadata.name}${object.spec.locality ? ` ${object.spec.locality}` : ''}`,
        )
        .sort();
    };
    t.same(kindsIn('sh-b', true), [
      'DrGroup/shop',
      'Idc/sh-a',
      'Idc/sh-b',
      'ServiceEntry/catalog',
      'ServiceEntry/checkout',
      'WorkloadEntry/catalog-1 sh-b/zone-1',
      'WorkloadEntry/checkout-1 sh-b/zone-1',
      'WorkloadEntry/checkout-2 sh-b/zone-1',
    ]);
    t.notOk(kindsIn('sh-b', false).some((kind) => kind.startsWith('DrGroup')));
  },
);

t.test(
  'each IDC’s registry has the order of preference and the hop limit that the drill gives it',
  async (t) => {
    const order = { 'sh-a': ['sh-a', 'bj-b', 'gz-c'], 'bj-b': ['bj-b', 'gz-c', 'sh-a'] };
    const groups = [{ name: 'checkout', instances: { 'gz-c': 2 } }];
    const world = { idcs: ['sh-a', 'bj-b', 'gz-c'], groups, gateways: 1, hopLimit: 2, order };
    const topology = planTopology({ id: 'aaaaaa', slot: 0, world });
    const specOf = (idc: string) => {
      const dir = join(t.testdir(), idc);
      writeRegistry(dir, topology, idcOf(topology, idc));
      const { spec } =
        parseAllDocuments(readFileSync(join(dir, 'drgroup-shop.yaml'), 'utf8'))[0]?.toJS() ?? {};
      return { hopLimit: spec.hopLimit, idcs: spec.idcs.map(({ name }: { name: string }) => name) };
    };
    t.same(specOf('sh-a'), { hopLimit: 2, idcs: order['sh-a'] });
    t.same(specOf('bj-b'), { hopLimit: 2, idcs: order['bj-b'] });
    t.same(specOf('gz-c'), { hopLimit: 2, idcs: world.idcs }, 'by default the order of the IDCs');
    t.same(
      topology.idcs.map((idc) => [idc.prefix, idc.instances.length, idc.ingress.length, idc.egress.length]),
      [
        ['127.1.0.', 0, 1, 1],
        ['127.2.0.', 0, 1, 1],
        ['127.3.0.', 2, 1, 1],
      ],
    );
  },
);
