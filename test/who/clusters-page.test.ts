import t from 'tap';
import { parseClustersPage } from '../../src/who/clusters-page.ts';

/** The host of a page with one, which has these flags. */
function hostWith(flags: object) {
  const address = { socket_address: { address: '10.1.1.1', port_value: 8080 } };
  const stats = [
    { name: 'rq_total', value: '7' },
    { name: 'rq_error' },
    { type: 'GAUGE', name: 'rq_active', value: '2' },
  ];
  const host = {
    address,
    stats,
    health_status: flags,
    locality: { region: 'sh-a', zone: 'z1' },
    priority: 1,
  };
  const page = { cluster_statuses: [{ name: 'instances/a.test:80', host_statuses: [host] }] };
  return parseClustersPage(JSON.stringify(page)).get('instances/a.test:80')?.[0];
}

t.test('flags as Envoy writes them, and what they mean for requests', async (t) => {
  const cases: readonly [object, string, readonly string[]][] = [
    [{ eds_health_status: 'HEALTHY' }, 'healthy', []],
    [{ failed_active_health_check: true }, 'unhealthy', ['check-failed']],
    [{ failed_active_health_check: true, active_hc_timeout: true }, 'unhealthy', ['check-timeout']],
    [{ failed_active_health_check: true, pending_active_hc: true }, 'unhealthy', ['not-checked']],
    [
      { failed_active_health_check: true, excluded_via_immediate_hc_fail: true },
      'unhealthy',
      ['told-unhealthy'],
    ],
    [
      { failed_outlier_check: true, failed_active_health_check: true },
      'unhealthy',
      ['check-failed', 'ejected'],
    ],
    [{ eds_health_status: 'DRAINING' }, 'unhealthy', ['drained']],
    [{ eds_health_status: 'DEGRADED' }, 'degraded', ['last-resort']],
    [{ eds_health_status: 'DEGRADED', failed_outlier_check: true }, 'unhealthy', ['ejected', 'last-resort']],
    [{ pending_dynamic_removal: true }, 'healthy', ['being-removed']],
  ];
  for (const [flags, health, why] of cases) t.match(hostWith(flags), { health, why }, JSON.stringify(flags));
  t.match(hostWith({}), {
    address: '10.1.1.1:8080',
    idc: 'sh-a',
    zone: 'z1',
    priority: 1,
    requests: 7,
    active: 2,
  });
});

t.test('addresses that are not IPv4, no clusters, and what is no page', async (t) => {
  const of = (address: object) =>
    parseClustersPage(JSON.stringify({ cluster_statuses: [{ name: 'a', host_statuses: [{ address }] }] }));
  t.match(of({ socket_address: { address: '2001:db8::1', port_value: 80 } }).get('a'), [
    { address: '[2001:db8::1]:80' },
  ]);
  t.match(of({ pipe: { path: '/run/app.sock' } }).get('a'), [{ address: 'unix:///run/app.sock' }]);
  t.equal(parseClustersPage('{}').size, 0);
  for (const text of ['', 'OK', '{"cluster_statuses": 1}', 'null'])
    t.throws(() => parseClustersPage(text), { code: 'invalid' }, text);
});
