import t from 'tap';
import { runValidate } from '../../../src/cli/validate.ts';
import { TestFolder } from '../folder-fixture.ts';
import { drGroup, idc, service, toYaml, workload } from '../objects.ts';

async function run(folder: string, output: 'table' | 'json') {
  let out = '';
  let err = '';
  const streams = {
    out(text: string) {
      out += text;
    },
    err(text: string) {
      err += text;
    },
  };
  return { code: await runValidate([folder], { output }, streams), out, err };
}

t.test('a good folder: the sum, and exit code 0', async (t) => {
  const folder = new TestFolder(t);
  folder.write('mesh.yaml', toYaml(service('s', 'a.example'), workload('w')));
  const { code, out, err } = await run(folder.path, 'table');
  t.equal(code, 0);
  t.equal(out, '2 objects good (1 ServiceEntry, 1 WorkloadEntry), 0 errors, 0 warnings\n');
  t.equal(err, '');
});

t.test('what is found is told by file, line and column, whatever found it', async (t) => {
  const folder = new TestFolder(t);
  folder.write(
    'b.yaml',
    toYaml(workload('w2'), service('s', 'a.example', { resolution: 'x' }), workload('w1', { weight: -1 })),
  );
  folder.write('a.yaml', toYaml(workload('w3', { weight: -1, address: '' }), idc('A')));
  const { out } = await run(folder.path, 'table');
  const places = [...out.matchAll(/\/([ab])\.yaml:(\d+):(\d+):/g)].map(([, file = '', line, column]) => {
    return file.charCodeAt(0) * 1e6 + Number(line) * 1e3 + Number(column);
  });
  t.ok(places.length >= 5, out);
  t.strictSame(
    places,
    [...places].sort((a, b) => a - b),
  );
});

t.test('warnings alone do not fail', async (t) => {
  const folder = new TestFolder(t);
  folder.write('mesh.yaml', toYaml(workload('w')));
  const { code, out } = await run(folder.path, 'table');
  t.equal(code, 0);
  t.match(out, /mesh\.yaml:\d+:\d+: warning: spec\.labels: no ServiceEntry/);
});

t.test('a rule that ejects nobody is told', async (t) => {
  const folder = new TestFolder(t);
  const rule = (outlierDetection: object) => ({
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { name: 'r', namespace: 'shop' },
    spec: { host: 'a.example', trafficPolicy: { outlierDetection } },
  });
  const warnings = async (outlierDetection: object, count: number) => {
    const workloads = Array.from({ length: count }, (_, i) => workload(`w${i}`));
    folder.write('mesh.yaml', toYaml(service('s', 'a.example'), ...workloads, rule(outlierDetection)));
    return (await run(folder.path, 'table')).out;
  };
  const told = /spec\.trafficPolicy\.outlierDetection: ejects nobody: 10 % of the 2 instances/;
  t.match(await warnings({}, 2), told);
  t.match(await warnings({ consecutive5xxErrors: 7 }, 2), /less than one\. Give at least 50\./);
  t.match(await warnings({ maxEjectionPercent: 50 }, 2), /0 errors, 0 warnings/);
  t.match(await warnings({}, 10), /0 errors, 0 warnings/, 'of ten it is one');
  t.match(await warnings({ consecutive5xxErrors: 0 }, 2), /0 errors, 0 warnings/, 'no detector is on');
});

t.test('an error fails, in JSON too', async (t) => {
  const folder = new TestFolder(t);
  folder.write('mesh.yaml', toYaml(service('s', 'a.example'), workload('w', { weight: -1 })));
  t.equal((await run(folder.path, 'table')).code, 1);
  const { code, out } = await run(folder.path, 'json');
  t.equal(code, 1);
  t.match(JSON.parse(out), {
    ok: false,
    errors: 1,
    warnings: 0,
    objects: [{ kind: 'ServiceEntry', namespace: 'shop', name: 's' }],
    problems: [
      { severity: 'error', where: /mesh\.yaml:\d+:\d+$/, path: 'spec.weight', message: /whole number/ },
    ],
  });
});

t.test('an empty folder is probably the wrong one', async (t) => {
  const { code, out } = await run(new TestFolder(t).path, 'table');
  t.equal(code, 0);
  t.match(out, /holds no \.yaml.*0 objects good, 0 errors, 1 warning/s);
});

t.test('a folder that cannot be read: exit code 2', async (t) => {
  const folder = new TestFolder(t);
  const text = await run(folder.at('nowhere'), 'table');
  t.match(text, {
    code: 2,
    out: '',
    err: /^isthmus validate: .*nowhere cannot be read: it does not exist \(ENOENT\); correct the path\n$/,
  });
  const json = await run(folder.at('nowhere'), 'json');
  t.equal(json.code, 2);
  t.match(JSON.parse(json.out), { ok: false, error: /cannot be read/ });
});

t.test('a name where nothing is looked up', async (t) => {
  const folder = new TestFolder(t);
  const named = workload('w', { address: 'w.example' });
  folder.write('mesh.yaml', toYaml(service('s', 'a.example'), named));
  const { out } = await run(folder.path, 'table');
  t.match(out, /warning: spec\.address: is a DNS name, and ServiceEntry shop\/s, .* STATIC/);
  folder.write('mesh.yaml', toYaml(service('s', 'a.example', { resolution: 'DNS' }), named));
  t.match((await run(folder.path, 'table')).out, /0 errors, 0 warnings/);
});

t.test('endpoints of an external host may stand where no IDC is', async (t) => {
  const folder = new TestFolder(t);
  const external = (location: string) =>
    toYaml(
      idc('sh-a'),
      service('s', 'a.example', {
        location,
        resolution: 'DNS',
        workloadSelector: undefined,
        endpoints: [{ address: 'w.example', locality: 'eu/1' }],
      }),
    );
  folder.write('mesh.yaml', external('MESH_EXTERNAL'));
  t.match((await run(folder.path, 'table')).out, /0 errors, 0 warnings/);
  folder.write('mesh.yaml', external('MESH_INTERNAL'));
  t.match((await run(folder.path, 'table')).out, /warning: .*locality: no Idc is named 'eu'/);
});

t.test('a fault of an object does not hide what else is wrong with it', async (t) => {
  const folder = new TestFolder(t);
  const group = drGroup('g', ['a.example', 'b.exmple'], 'sh-a', 'sh-x');
  const faulty = {
    ...group,
    spec: { ...group.spec, capacity: { concurrentPerInstance: 9 }, traffic: { retries: 9 } },
  };
  const rule = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { name: 'r', namespace: 'shop' },
    spec: { host: 'c.example', trafficPolicy: { connectionPool: { tcp: { maxConnections: -1 } } } },
  };
  const mesh = [
    idc('sh-a'),
    service('s', 'a.example'),
    workload('w'),
    workload('w-2', { weight: -1, labels: { app: 'x' }, locality: 'sh-y' }),
  ];
  folder.write('mesh.yaml', toYaml(...mesh, faulty, rule));
  const { out } = await run(folder.path, 'table');
  const lines = out.split('\n').map((line) => line.replace(/^[^ ]+ /, ''));
  for (const words of [
    /^error: spec\.weight: /,
    /^error: spec\.traffic\.retries: /,
    /^error: spec\.idcs\[1\]\.name: no Idc is named 'sh-x'/,
    /^error: spec\.trafficPolicy\.connectionPool\.tcp\.maxConnections: /,
    /^warning: spec\.hosts\[1\]: no ServiceEntry declares b\.exmple/,
    /^warning: spec\.host: no ServiceEntry declares c\.example/,
    /^warning: spec\.labels: no ServiceEntry in namespace shop selects it/,
  ])
    t.equal(lines.filter((line) => words.test(line)).length, 1, String(words));
});
