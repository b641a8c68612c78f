import t from 'tap';
import { parseTrafficAnnotations } from '../../../src/model/annotations/annotations.ts';
import { type GroupHealth, mergeHealth, parseStatuses } from '../../../src/model/health.ts';
import type { Protocol } from '../../../src/model/service.ts';
import { planHealth } from '../../../src/plan/health/health.ts';

const port = (protocol: Protocol, name = 'main', number = 8080) => ({ protocol, name, number });
const asked = (protocol: Protocol, health: GroupHealth) => planHealth(port(protocol), health)?.question;
const ok = [{ from: 200, to: 299 }];

t.test('each protocol is asked in its own way, or not at all', async (t) => {
  const path = { kind: 'http', path: '/up', statuses: ok };
  const table: [Protocol, GroupHealth, unknown][] = [
    ['HTTP', { path: '/up' }, path],
    ['HTTP2', { path: '/up' }, path],
    ['GRPC', { path: '/up' }, undefined],
    ['TCP', { path: '/up', grpc: '' }, undefined],
    ['HTTP', { grpc: '' }, undefined],
    ['HTTP2', { grpc: '' }, undefined],
    ['GRPC', { grpc: '' }, { kind: 'grpc', service: '' }],
    ['GRPC', { path: '/up', grpc: 'shop.Pay' }, { kind: 'grpc', service: 'shop.Pay' }],
    // By port HTTP2 may be gRPC; what an HTTP/1.1 port could not be asked, it is not.
    ['HTTP2', { path: '/up', ports: { main: { grpc: '' } } }, { kind: 'grpc', service: '' }],
    ['HTTP', { path: '/up', ports: { main: { grpc: '' } } }, path],
    ['GRPC', { ports: { main: { path: '/up' } } }, undefined],
    ['HTTP', { path: '/up', ports: { other: { path: '/other' } } }, path],
    ['HTTP', { path: '/up', enabled: false }, undefined],
    ['HTTP', { path: '/up', enabled: false, ports: { main: { enabled: true } } }, path],
    ['HTTP', { path: '/up', ports: { 8080: { enabled: false } } }, undefined],
    ['HTTP', { ports: { 8080: { interval: 1 } as object } }, undefined],
  ];
  for (const [protocol, health, question] of table)
    t.strictSame(asked(protocol, health), question, `${protocol} ${JSON.stringify(health)}`);
  t.equal(planHealth(port('HTTP'), undefined), undefined);
});

t.test('what is declared for a port goes first, its name before its number', async (t) => {
  const health: GroupHealth = {
    path: '/up',
    intervalMs: 1_000,
    statuses: [{ from: 204, to: 204 }],
    ports: { 8080: { path: '/number', port: 9 }, main: { path: '/name', intervalMs: 2_000 } },
  };
  t.match(planHealth(port('HTTP'), health), {
    question: { kind: 'http', path: '/name', statuses: [{ from: 204, to: 204 }] },
    intervalMs: 2_000,
    port: 9,
  });
  t.match(planHealth(port('HTTP', 'other', 81), health), { question: { path: '/up' }, intervalMs: 1_000 });
  t.match(planHealth(port('HTTP', 'constructor', 81), health), { question: { path: '/up' } });
});

t.test("a ServiceEntry's annotations go before its DrGroup, field by field", async (t) => {
  const { traffic, faults } = parseTrafficAnnotations({
    'isthmus.dev/health-path': '/own',
    'isthmus.dev/health-path.admin': '/admin',
    'isthmus.dev/health-statuses.admin': '200-299, 401',
    'isthmus.dev/health-interval.8081': '2s',
    'isthmus.dev/health-grpc.grpc': 'true',
    'isthmus.dev/health-port.admin': '8086',
    'isthmus.dev/health-enabled.audit': 'false',
  });
  t.strictSame(faults, []);
  const drGroup: GroupHealth = {
    path: '/dr',
    intervalMs: 900,
    ports: { admin: { path: '/dr-admin', intervalMs: 800 } },
  };
  t.strictSame(mergeHealth(drGroup, traffic.health), {
    path: '/own',
    intervalMs: 900,
    ports: {
      admin: {
        path: '/admin',
        intervalMs: 800,
        statuses: [
          { from: 200, to: 299 },
          { from: 401, to: 401 },
        ],
        port: 8086,
      },
      8081: { intervalMs: 2_000 },
      grpc: { grpc: '' },
      audit: { enabled: false },
    },
  });
});

t.test('annotations that are wrong are told', async (t) => {
  const table: [string, string, RegExp][] = [
    ['health-path', 'up', /not a path/],
    ['health-path.admin', 'up', /not a path/],
    ['health-grpc', 'yes please', /not a gRPC service/],
    ['health-statuses', '', /not a status/],
    ['health-statuses', '2xx', /not a status/],
    ['health-statuses', '299-200', /not a status/],
    ['health-statuses', '200,503', /'503' is not from 200 to 499/],
    ['health-statuses', '100-200', /'100-200' is not from 200/],
    ['health-interval.8080', '50ms', /too short/],
    ['health-interval', '1', /not a duration/],
    ['health-port', '70000', /not a port/],
    ['health-enabled', 'no', /neither/],
  ];
  for (const [key, value, words] of table) {
    const { traffic, faults } = parseTrafficAnnotations({ [`isthmus.dev/${key}`]: value });
    t.match(faults, [{ key: `isthmus.dev/${key}`, message: words }], `${key}: ${value}`);
    t.strictSame(traffic, {}, 'and left out');
  }
});

t.test('statuses', async (t) => {
  t.strictSame(parseStatuses(['204', '401-403']), [
    { from: 204, to: 204 },
    { from: 401, to: 403 },
  ]);
  t.match(parseStatuses([]), /names no status/);
  t.match(parseStatuses(Array(17).fill('200')), /too many/);
});
