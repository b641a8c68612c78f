import t from 'tap';
import { parseNodeScope } from '../../src/model/node.ts';

const parse = (isthmus: unknown) => parseNodeScope({ isthmus });
const at = (port: number, address = '10.0.0.1') => ({ address, port });

t.test('a proxy says what it is', async (t) => {
  t.strictSame(
    parse({ role: 'sidecar', idc: 'a', namespace: 'shop', dependsOn: [' B.Shop', 'a.shop', ''] }),
    {
      role: 'sidecar',
      idc: 'a',
      namespace: 'shop',
      dependsOn: ['a.shop', 'b.shop'],
    },
  );
  t.match(parse({ role: 'sidecar', idc: 'a', namespace: 'x', zone: 'z1' }), { zone: 'z1' });
  t.notOk(
    'zone' in parse({ role: 'egress', idc: 'a', zone: 'z1', sidecar: at(1), ingress: at(2) }),
    'as nothing differs for it',
  );
  t.match(parse({ role: 'egress', idc: 'a', sidecar: at(1), ingress: at(2) }), { role: 'egress' });
  t.same(parse({ role: 'grpc', idc: 'a', namespace: 'shop', dependsOn: ['B.shop'], outbound: at(1) }), {
    ...{ role: 'grpc', idc: 'a', namespace: 'shop', dependsOn: ['b.shop'] },
  });
  const logging = { role: 'egress', idc: 'a', sidecar: at(1), ingress: at(2), accessLog: '/dev/stdout' };
  t.match(parse({ ...logging, accessLogHeaders: [' X-Tenant', 'user-agent', 'x-tenant'] }), {
    accessLogHeaders: ['user-agent', 'x-tenant'],
  });
  const caller = (unknownHosts: string) =>
    parse({ role: 'sidecar', idc: 'a', namespace: 'x', outbound: at(15001, '127.0.0.1'), unknownHosts });
  t.match(caller('pass'), { unknownHosts: 'pass' });
  t.notOk('unknownHosts' in caller('refuse'), 'what is so without a word makes no class of its own');
});

t.test('faults in node metadata are named', async (t) => {
  const wrong: [unknown, RegExp][] = [
    [undefined, /node\.metadata\.isthmus is missing/],
    [{ role: 'sidecar', idc: 'A', namespace: 'x' }, /idc: 'A' is not an IDC name/],
    [{ role: 'gateway', idc: 'a' }, /role: must be sidecar, ingress, egress or grpc/],
    [{ role: 'sidecar', idc: 'a' }, /namespace: must be a string/],
    [{ role: 'sidecar', idc: 'a', namespace: 'x', zone: 'a/z1' }, /zone: "a\/z1" is not a zone/],
    [
      { role: 'sidecar', idc: 'a', namespace: 'x', unknownHosts: 'x' },
      /unknownHosts: must be pass or refuse/,
    ],
    [
      { role: 'sidecar', idc: 'a', namespace: 'x', unknownHosts: 'pass' },
      /unknownHosts: pass needs an outbound/,
    ],
    [
      { role: 'sidecar', idc: 'a', namespace: 'x', outbound: at(15001), unknownHosts: 'pass' },
      /unknownHosts: pass needs an outbound address on loopback/,
    ],
    [{ role: 'egress', idc: 'a', accessLogHeaders: 'x' }, /accessLogHeaders: must be a list of at most 16/],
    [
      { role: 'egress', idc: 'a', accessLogHeaders: Array.from({ length: 17 }, (_, i) => `x-${i}`) },
      /accessLogHeaders: must be a list of at most 16/,
    ],
    ...[':authority', 'x)%', 'a?b', '', 'x'.repeat(65), 7, null].map((name): [unknown, RegExp] => [
      { role: 'egress', idc: 'a', accessLogHeaders: ['x-tenant', name] },
      /accessLogHeaders: .* is not the name of a header/,
    ]),
    [{ role: 'ingress', idc: 'a', edge: at(1) }, /peer: must be \{address, port\}/],
    [{ role: 'ingress', idc: 'a', edge: at(-1), peer: at(2) }, /edge: -1 is not a port/],
    [{ role: 'ingress', idc: 'a', edge: at(70_000), peer: at(2) }, /edge: 70000 is not a port/],
    [{ role: 'ingress', idc: 'a', edge: at(1, 'foo'), peer: at(2) }, /edge: 'foo' is not an IP address/],
    [{ role: 'ingress', idc: 'a', edge: at(1), peer: at(1) }, /peer: is the address of .*edge too/],
  ];
  for (const [scope, words] of wrong) t.throws(() => parse(scope), { message: words });
});

t.test('fields are named as the caller calls them', async (t) => {
  const metadata = { isthmus: { role: 'egress', idc: 'a', sidecar: at(1), ingress: at(1) } };
  t.throws(() => parseNodeScope(metadata, (field) => `--${field}-listen`), {
    message: /^--ingress-listen: is the address of --sidecar-listen too/,
  });
  t.throws(() => parseNodeScope(metadata), {
    message: /^node\.metadata\.isthmus\.ingress: is the address of node\./,
  });
});

t.test('a sidecar may name so many hosts and no more, before any is looked at', async (t) => {
  const parse = (count: number) => {
    const dependsOn = Array.from({ length: count }, (_, i) => `h${i}.shop`);
    return parseNodeScope({ isthmus: { role: 'sidecar', idc: 'a', namespace: 'shop', dependsOn } });
  };
  t.match(parse(5_000), { dependsOn: { length: 5_000 } });
  t.throws(() => parse(5_001), { code: 'invalid', message: /dependsOn: has 5001 hosts, at most 5000/ });
});
