import t from 'tap';
import type { NodeScope } from '../../src/model/node.ts';
import { planGroup } from '../../src/plan/group.ts';
import type { GroupPlan, PlannedLocality } from '../../src/plan/types.ts';
import { buildGrpcBootstrap } from '../../src/translate/bootstrap.ts';
import { Catalog } from '../../src/translate/catalog.ts';
import { encodeResource } from '../../src/xds/codec/codec.ts';
import { drGroup, idc, serviceEntry } from '../index/fixture.ts';

const idcs = new Map([
  ['sh-a', idc('sh-a')],
  ['sh-b', idc('sh-b')],
]);
const scope: NodeScope = { role: 'grpc', idc: 'sh-a', namespace: 'shop' };

/** The plan of a gRPC Group that may leave its IDC. */
function planOf(more: Partial<GroupPlan> = {}): GroupPlan {
  const instance = { ports: { http: 8080 }, labels: {}, idc: 'sh-a', locality: 'sh-a/z1', weight: 1 };
  const [plan] = planGroup(
    {
      host: 'checkout.shop',
      entry: serviceEntry('shop/checkout.shop', ['checkout.shop']),
      instances: [{ ...instance, address: '10.0.0.1' }],
      drGroup: drGroup('dr', ['checkout.shop']),
    },
    { localIdc: 'sh-a', idcs, hopLimit: 1, loopPrevention: 'on', checkIntervalMsMin: 1000 },
  );
  return { ...(plan as GroupPlan), protocol: 'http2', ...more };
}

/** What a gRPC client of sh-a gets, by kind and name; each is encoded, as what is pushed must be. */
function builtOf(...plans: readonly GroupPlan[]) {
  const catalog = new Catalog();
  catalog.updateContext(idcs, { localIdc: idcs.get('sh-a'), filters: {} });
  catalog.update(new Map([['checkout.shop', plans]]));
  const built = catalog.open('k', scope);
  for (const { message } of built) encodeResource(message);
  return new Map(built.map(({ kind, name, message }) => [`${kind} ${name}`, message]));
}

const locality = (name: string, more: Partial<PlannedLocality> = {}): PlannedLocality => ({
  name,
  endpoints: [{ address: '10.0.0.1', port: 8080, weight: 1 }],
  ...more,
});

t.test(
  'a Group: listeners of the names that are dialled, instances first, the egress after them',
  async (t) => {
    const built = builtOf(planOf());
    const { port } = planOf().group;
    t.same([...built.keys()].sort(), [
      'CDS egress',
      `CDS failover/checkout.shop:${port}`,
      `CDS instances/checkout.shop:${port}`,
      'EDS egress',
      `EDS instances/checkout.shop:${port}`,
      'LDS checkout.shop',
      `LDS checkout.shop:${port}`,
    ]);
    t.match(built.get(`CDS failover/checkout.shop:${port}`), {
      cluster_type: { typed_config: { clusters: [`instances/checkout.shop:${port}`, 'egress'] } },
    });
    t.match(built.get(`EDS instances/checkout.shop:${port}`), {
      endpoints: [
        {
          locality: { region: 'sh-a', zone: 'z1' },
          load_balancing_weight: 1,
          lb_endpoints: [
            { endpoint: { address: { socket_address: { address: '10.0.0.1', port_value: 8080 } } } },
          ],
        },
      ],
    });
    const egress = idcs.get('sh-a')?.spec.egress[0];
    t.match(built.get('EDS egress'), {
      endpoints: [
        {
          lb_endpoints: [{ endpoint: { address: { socket_address: { port_value: egress?.sidecarPort } } } }],
        },
      ],
    });
    const route = { route: { cluster: `failover/checkout.shop:${port}`, retry_policy: undefined } };
    for (const name of ['checkout.shop', `checkout.shop:${port}`])
      t.match(built.get(`LDS ${name}`), {
        api_listener: {
          api_listener: { route_config: { virtual_hosts: [{ domains: ['*'], routes: [route] }] } },
        },
      });
  },
);

t.test('a gRPC client gets no Groups that it cannot use', async (t) => {
  for (const more of [
    { protocol: 'http1' },
    { protocol: 'tcp' },
    { lookup: 'every' },
    { tls: { serverName: 'x' } },
  ] as const)
    t.same([...builtOf(planOf(more)).keys()], ['CDS egress', 'EDS egress'], JSON.stringify(more));
  t.notOk(builtOf(planOf({ isDefaultPort: false })).has('LDS checkout.shop'), 'the port must be named');
  const catalog = new Catalog();
  catalog.update(new Map([['checkout.shop', [planOf()]]]));
  t.notOk(
    catalog.open('k', { ...scope, namespace: 'other' }).some(({ kind }) => kind === 'LDS'),
    'nor of those of other namespaces',
  );
});

t.test('calls that may have been executed are sent again only where the Group says so', async (t) => {
  const plan = planOf();
  const { outbound } = plan.paths;
  const retry = {
    ...outbound.retry,
    idempotentMethods: ['GET', 'POST'],
    idempotent: { ...outbound.retry.idempotent, retries: 9 },
  };
  const paths = { ...plan.paths, outbound: { ...outbound, retry } };
  t.match(builtOf({ ...plan, paths }).get('LDS checkout.shop'), {
    api_listener: {
      api_listener: {
        route_config: {
          virtual_hosts: [
            { routes: [{ route: { retry_policy: { retry_on: 'unavailable', num_retries: 4 } } }] },
          ],
        },
      },
    },
  });
});

t.test('resources omit what gRPC refuses or ignores: duplicates, sockets, gaps of priorities', async (t) => {
  const endpoint = { address: '10.0.0.1', port: 8080, weight: 3 };
  const plan = planOf({
    instances: [
      locality('sh-a/z1', { endpoints: [{ ...endpoint, address: 'unix:///run/a' }] }),
      locality('sh-a/z2', {
        priority: 1,
        endpoints: [endpoint, { ...endpoint, address: '10.0.0.2', weight: 2 }],
      }),
      locality('sh-a/z3', { priority: 2, endpoints: [endpoint, { ...endpoint, port: 8081 }] }),
      locality('sh-b', { priority: 3, lastResort: true }),
    ],
  });
  const assignment = builtOf(plan).get(`EDS instances/checkout.shop:${plan.group.port}`) as unknown as {
    endpoints: { locality: { zone: string }; priority?: number; load_balancing_weight: number }[];
  };
  t.same(
    assignment.endpoints.map(({ locality, priority = 0, load_balancing_weight }) => [
      ...[locality.zone, priority, load_balancing_weight],
    ]),
    [
      ['z2', 0, 5],
      ['z3', 1, 3],
    ],
  );
});

t.test('an evacuated IDC: other IDCs first, own instances as last resort', async (t) => {
  const plan = planOf({ instances: [locality('sh-a/z1', { lastResort: true })] });
  const built = builtOf(plan);
  const instances = `instances/checkout.shop:${plan.group.port}`;
  t.match(built.get(`CDS failover/checkout.shop:${plan.group.port}`), {
    cluster_type: { typed_config: { clusters: ['egress', instances] } },
  });
  t.match(built.get(`EDS ${instances}`), { endpoints: { length: 1 } });
});

t.test('the bootstrap of a gRPC client', async (t) => {
  const xds = [
    { address: '10.1.0.9', port: 15010 },
    { address: 'fd00::9', port: 15010 },
  ];
  const more = { ...scope, zone: 'z1', dependsOn: ['checkout.shop'] };
  t.match(buildGrpcBootstrap({ id: 'client-1', scope: more, xds }), {
    xds_servers: [
      { server_uri: '10.1.0.9:15010', channel_creds: [{ type: 'insecure' }], server_features: ['xds_v3'] },
      { server_uri: '[fd00::9]:15010' },
    ],
    node: {
      ...{ id: 'client-1', cluster: 'grpc.sh-a', locality: { region: 'sh-a', zone: 'z1' } },
      metadata: { isthmus: { role: 'grpc', namespace: 'shop', dependsOn: ['checkout.shop'] } },
    },
  });
  t.throws(() => buildGrpcBootstrap({ id: '', scope, xds }), { code: 'invalid', message: /needs a node id/ });
});
