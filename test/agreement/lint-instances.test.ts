import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { checkFolder } from '../../src/registry/check/check-inputs.ts';
import { idc, type RawObject, service, toYaml, workload } from '../registry/objects.ts';

/** What `isthmus validate` says of these objects. */
async function told(t: Test, ...objects: RawObject[]): Promise<string[]> {
  const dir = t.testdir();
  writeFileSync(join(dir, 'mesh.yaml'), toYaml(...objects));
  const { problems } = await checkFolder(dir);
  return problems.map(({ severity, path, message }) => `${severity}: ${path}: ${message}`);
}

const two = [idc('sh-a'), idc('sh-b')];
const endpoints = (...list: object[]) => ({ endpoints: list, workloadSelector: undefined });

t.test('an instance without locality is told where there are several Idcs', async (t) => {
  const plain = workload('w', { locality: undefined });
  t.match(await told(t, ...two, service('s', 'a.example'), plain), [
    /^warning: spec\.locality: is missing, and there are 2 Idcs: .* Write IDC\/zone, such as sh-a\/zone-1\.$/,
  ]);
  const inline = service('s', 'a.example', endpoints({ address: '10.0.0.1' }));
  t.match(await told(t, ...two, inline), [/^warning: spec\.endpoints\[0\]\.locality: is missing/]);
  t.same(await told(t, idc('sh-a'), service('s', 'a.example'), plain), [], 'one Idc: all stand there');
  const outside = {
    location: 'MESH_EXTERNAL',
    resolution: 'DNS',
    ...endpoints({ address: 'a.partner.example' }),
  };
  t.same(await told(t, ...two, service('s', 'a.example', outside)), [], 'outside of all');
});

t.test('a port name that nobody has', async (t) => {
  const ports = [{ number: 80, name: 'http-web', protocol: 'HTTP', targetPort: 8000 }];
  t.match(
    await told(t, ...two, service('s', 'a.example', { ports }), workload('w', { ports: { http: 9000 } })),
    [
      /^warning: spec\.ports\.http: no port of ServiceEntry shop\/s is named http: it has http-web\. Requests for http-web go to its port 8000\./,
    ],
  );
  const inline = endpoints({ address: '10.0.0.1', ports: { http: 9000 }, locality: 'sh-a' });
  t.match(await told(t, service('s', 'a.example', { ports, ...inline })), [
    /^error: spec\.endpoints\[0\]\.ports\.http: no port of the ServiceEntry is named 'http': correct it\./,
  ]);
  const udp = [
    { number: 53, name: 'dns', protocol: 'UDP' },
    { number: 80, name: 'http', protocol: 'HTTP' },
  ];
  const both = endpoints({ address: '10.0.0.1', ports: { dns: 53, http: 80 } });
  t.match(
    (await told(t, service('s', 'a.example', { ports: udp, ...both }))).filter((one) =>
      one.includes('called'),
    ),
    [],
    'what is left out has its name all the same',
  );
});

t.test('an instance that nothing selects, with what it was probably meant to be', async (t) => {
  t.match(
    await told(
      t,
      ...two,
      service('s', 'a.example'),
      workload('v'),
      workload('w', { labels: { app: 'chekout' } }),
    ),
    [
      /^warning: spec\.labels: no ServiceEntry in namespace shop selects it.* Did you mean 'app: checkout'\?$/,
    ],
  );
});

t.test('an instance of another namespace than the ServiceEntry that would select it', async (t) => {
  const lost = { ...workload('w'), metadata: { name: 'w', namespace: 'shopp' } };
  const [found] = await told(t, ...two, service('s', 'a.example'), workload('v'), lost);
  t.match(found, /no ServiceEntry in namespace shopp selects it.* One in namespace shop would: did you mean/);
  const other = {
    ...workload('w', { labels: { app: 'cart' } }),
    metadata: { name: 'w', namespace: 'shopp' },
  };
  const [none] = await told(t, ...two, service('s', 'a.example'), workload('v'), other);
  t.match(none, /correct the labels\.$/, 'the control: its labels are those of nobody');
});

t.test('a single address may be written as a prefix', async (t) => {
  const tcp = (address: string) => ({
    addresses: [address],
    ports: [{ number: 3306, name: 'tcp', protocol: 'TCP' }],
    ...endpoints({ address: '10.0.0.1', ports: { tcp: 9000 }, locality: 'sh-a/z1' }),
  });
  t.same(
    await told(
      t,
      service('a', 'a.example', tcp('127.30.0.1/32')),
      service('b', 'b.example', tcp('fd00::1/128')),
    ),
    [],
  );
  t.match(await told(t, service('a', 'a.example', tcp('127.30.0.0/24'))), [
    /no proxy can listen on a prefix/,
  ]);
});

t.test('a host without a listener takes no port from others', async (t) => {
  const ports = [{ number: 3309, name: 'tcp', protocol: 'TCP' }];
  const none = service('adb', 'adb.example', { ports, resolution: 'NONE', workloadSelector: undefined });
  const inline = endpoints({ address: '10.0.0.1', ports: { tcp: 9000 }, locality: 'sh-a/z1' });
  t.match(await told(t, none, service('bdb', 'bdb.example', { ports, ...inline })), [
    /no sidecar listens for TCP ports \(3309\): .*by CONNECT only.*With DNS/,
  ]);
});
