import t from 'tap';
import type { GroupView } from '../../src/index/view.ts';
import type { Protocol, ServicePort } from '../../src/model/service.ts';
import { planOutlier } from '../../src/plan/health/outlier.ts';
import {
  isTcp,
  planTcpListeners,
  planTcpPaths,
  planTunnels,
  tcpCrossing,
  tcpPolicy,
} from '../../src/plan/tcp.ts';
import type { GroupPlan } from '../../src/plan/types.ts';

const outbound = { address: '127.0.0.1', port: 15001 };

const group = (host: string, port: number, ...addresses: string[]): GroupPlan =>
  ({ group: { host, port }, protocol: 'tcp', addresses }) as unknown as GroupPlan;

/** Listeners in short: `host at address port`. */
const shape = (...plans: GroupPlan[]) =>
  planTcpListeners(outbound, plans).map(
    ({ plans, listen }) =>
      `${plans.map(({ group }) => group.host).join('+')} at ${listen.address} ${listen.port}`,
  );

t.test('where a sidecar listens for TCP', async (t) => {
  t.strictSame(shape(group('a', 3306), group('b', 6379)), ['a at 127.0.0.1 3306', 'b at 127.0.0.1 6379']);
  t.strictSame(
    shape(group('a', 3306, '127.1.0.1', '127.1.0.2'), group('b', 3306, '127.1.0.3')),
    ['a at 127.1.0.1 3306', 'a at 127.1.0.2 3306', 'b at 127.1.0.3 3306'],
    'Groups with addresses of their own may share a port',
  );
  t.strictSame(
    shape(group('b', 3306), group('a', 3306)),
    ['a at 127.0.0.1 3306'],
    'the first by host has it',
  );
  t.strictSame(shape(group('a', 15001)), [], 'HTTP goes before');
  const http = { ...group('a', 80), protocol: 'http1' } as GroupPlan;
  t.strictSame(shape(http), [], 'HTTP is not listened for by Group');
});

t.test('TLS shares a port: its connections say whom they are for', async (t) => {
  const tls = (host: string, port: number, ...addresses: string[]): GroupPlan => ({
    ...group(host, port, ...addresses),
    sni: true,
  });
  t.strictSame(shape(tls('b', 443), tls('a', 443), tls('*.c', 443)), ['*.c+a+b at 127.0.0.1 443']);
  t.strictSame(shape(tls('a', 443), group('b', 443)), ['a at 127.0.0.1 443'], 'TCP does not');
  t.strictSame(shape(group('a', 443), tls('b', 443)), ['a at 127.0.0.1 443']);
  t.strictSame(shape(tls('a', 443, '127.1.0.1'), tls('b', 443)), [
    'a at 127.1.0.1 443',
    'b at 127.0.0.1 443',
  ]);
});

t.test('where a sidecar tunnels from and to', async (t) => {
  const leaving = (host: string, port: number): GroupPlan => ({
    ...group(host, port),
    crossing: {} as never,
  });
  const places = (from: typeof outbound, ...plans: GroupPlan[]) =>
    planTunnels(from, plans).map(
      ({ listen, from: source }) => `${source} to ${listen.address}:${listen.port}`,
    );
  t.strictSame(places(outbound, group('a', 3306)), [], 'a Group that never leaves has no tunnel');
  const many = Array.from({ length: 500 }, (_, i) => leaving(`g${i}`, 3306 + (i % 2)));
  const here = places(outbound, ...many);
  t.strictSame(places(outbound, ...many), here, 'the same each time');
  const there = places({ ...outbound, port: 15002 }, ...many);
  t.equal(new Set([...here, ...there]).size, 1000, 'its own for each Group and sidecar');
  const isInRange = (place: string) => {
    const match = /^127\.(\d+)\.\d+\.\d+ to 127\.(\d+)\.\d+\.\d+:(\d+)$/.exec(place) ?? [];
    const [from = 0, to = 0, port = 0] = match.slice(1).map(Number);
    return from >= 128 && from < 255 && to >= 128 && to < 255 && port >= 61_000 && port < 65_096;
  };
  t.strictSame(
    here.filter((place) => !isInRange(place)),
    [],
  );
});

t.test('what is TCP', async (t) => {
  const view = (host: string, resolution = 'STATIC') =>
    ({ host, entry: { spec: { resolution } } }) as GroupView;
  const port = (protocol: Protocol): ServicePort => ({ number: 1, name: 'x', protocol });
  for (const protocol of ['TCP', 'TLS', 'HTTPS', 'MONGO'] as const) {
    t.ok(isTcp(view('a.test'), port(protocol)), protocol);
    const hasName = protocol === 'TLS' || protocol === 'HTTPS';
    t.equal(isTcp(view('*.test'), port(protocol)), hasName, 'TLS alone says which of many hosts it is for');
  }
  t.ok(isTcp(view('*.test', 'NONE'), port('TCP')), 'CONNECT says which');
  for (const protocol of ['HTTP', 'HTTP2', 'GRPC'] as const) t.notOk(isTcp(view('a.test'), port(protocol)));
});

t.test('one failed connection ejects, unless a rule says otherwise', async (t) => {
  const context = { protocol: 'tcp', checked: false, leaves: true, timed: false } as const;
  t.equal(planOutlier({}, context).consecutiveGatewayErrors, 1);
  const rule = { outlier: { consecutiveGatewayErrors: 7 }, tcpKeepalive: { timeMs: 1000 } };
  t.match(planOutlier(rule, context), { consecutiveGatewayErrors: 7, consecutive5xx: 5 });
  t.match(tcpPolicy({}), { tcpKeepalive: { timeMs: 60_000 } });
  t.match(tcpPolicy(rule), rule);
});

t.test('a tunnel is not passed on: the egress asks each permitted IDC twice', async (t) => {
  const [one, pattern] = [{ host: 'a.test' }, { host: '*.test' }];
  t.equal(tcpCrossing(one, undefined), undefined);
  const crossing = { idcs: [], permits: [], begun: 'a', connectTimeoutMs: 1_050, silenceMs: 2_000 };
  t.strictSame(tcpCrossing(one, { ...crossing, handOnNamesMax: 3, onward: 'b,c' }), crossing);
  t.equal(tcpCrossing(pattern, crossing), undefined);
  const path = { listener: 'sidecar', priorities: [{ kind: 'idc' }, { kind: 'idc' }, { kind: 'idc' }] };
  const paths = { sidecar: path, peer: { listener: 'peer', retry: 'as it was' } };
  const planned = planTcpPaths({ paths } as unknown as Pick<GroupPlan, 'paths'>).paths;
  t.match(planned.sidecar.retry, { timeoutMs: 0, other: { retries: 5, triesPerPriority: 2, perTryMs: 0 } });
  t.strictSame(planned.sidecar.retry.other.on, ['unsent', 'gateway-error']);
  t.strictSame(planned.peer, paths.peer);
});
