import t from 'tap';
import { buildBootstrap } from '../../src/translate/bootstrap.ts';
import { buildCase, goldenCases } from '../support/golden.ts';

// Nothing that is alive is cut: no limit of a stream, a request or a connection below an hour is pushed
// unless it is declared.
const hourMs = 3_600_000;
/** Limits of Envoy's that end what goes on. */
const limits = new Set([
  'timeout',
  'idle_timeout',
  'stream_idle_timeout',
  'stream_flush_timeout',
  'flush_timeout',
  'request_timeout',
  'max_stream_duration',
  'grpc_timeout_header_max',
  'max_connection_duration',
  'max_downstream_connection_duration',
  'drain_timeout',
  'delayed_close_timeout',
  'per_try_timeout',
  'per_try_idle_timeout',
]);
/** What these hold is no stream: health checks, connections that nobody uses to instances, pings. */
const besides = new Set([
  'health_checks',
  'connection_keepalive',
  'clusters',
  'common_http_protocol_options',
]);

/** Limits in a message, as `path: value`. */
function limitsIn(value: unknown, path: string, found: string[] = []): string[] {
  if (Array.isArray(value)) {
    for (const [i, one] of value.entries()) limitsIn(one, `${path}[${i}]`, found);
  } else if (typeof value === 'object' && value !== null && !isCheck(value)) {
    for (const [key, inner] of Object.entries(value)) {
      if (limits.has(key) && typeof inner === 'string') found.push(`${path}.${key}: ${inner}`);
      else if (!besides.has(key)) limitsIn(inner, `${path}.${key}`, found);
    }
  }
  return found;
}

const isShort = (limit: string) => {
  const seconds = Number(/: ([0-9.]+)s$/.exec(limit)?.[1]);
  return seconds > 0 && seconds * 1_000 < hourMs;
};
/** The route of another IDC's health checks, at the peer listener. */
const isCheck = (value: object) => {
  const path = (value as { match?: { path?: string } }).match?.path;
  return path === '/.isthmus/health' || path === '/grpc.health.v1.Health/Check';
};

for (const name of goldenCases().filter((name) => name !== 'own-times')) {
  t.test(`${name}: no limit below an hour`, async (t) => {
    let all = 0;
    for (const [role, built] of Object.entries(buildCase(name))) {
      const messages = built.filter(({ kind }) => kind === 'LDS' || kind === 'RDS');
      const found = messages.flatMap((one) => limitsIn(one.message, one.name));
      all += found.length;
      t.strictSame(found.filter(isShort), [], role);
    }
    t.ok(all > 5, `${all} limits were looked at`);
  });
}

t.test('a limit that is declared is found', async (t) => {
  const built = buildCase('own-times').sidecar.filter(({ kind }) => kind === 'RDS');
  t.ok(built.flatMap((one) => limitsIn(one.message, one.name)).some(isShort));
});

t.test('nor at the inbound side of a sidecar', async (t) => {
  const bootstrap = buildBootstrap({
    id: 'a',
    scope: { role: 'sidecar', idc: 'sh-a', namespace: 'shop' },
    xds: [{ address: '127.0.0.1', port: 15010 }],
    inbound: { listen: { address: '127.0.0.1', port: 8080 }, app: { address: '127.0.0.1', port: 8081 } },
  });
  const found = limitsIn(bootstrap.static_resources?.listeners, 'inbound');
  t.ok(found.length >= 2);
  t.strictSame(found.filter(isShort), []);
});
