import { loadAll } from 'js-yaml';
import t, { type Test } from 'tap';
import { createIndex } from '../../src/index/store.ts';
import type { SidecarScope } from '../../src/model/node.ts';
import type { Change } from '../../src/model/object.ts';
import type { ListenAddress } from '../../src/model/values/listen-address.ts';
import { createPlanner } from '../../src/plan/planner.ts';
import { parseObject } from '../../src/registry/parse/object.ts';
import { Catalog } from '../../src/translate/catalog.ts';
import type { BuiltResource } from '../../src/translate/resources.ts';
import { createXdsServer, type ResourceJson } from '../../src/xds/xds.ts';
import { idc, service, toYaml } from '../registry/objects.ts';
import { keptConnection } from '../support/clients/kept-connection.ts';
import { runLoad } from '../support/clients/run-load.ts';
import { freeAddress, startMesh, until } from '../support/mesh.ts';

// A sidecar that has one table for all hosts, from a control plane of before, comes to one with a table for
// each host: no request is lost, and connections that stay with its old listener see what comes and goes.

// biome-ignore lint/suspicious/noExplicitAny: a test reaches into messages.
type Loose = any;

const group = (host: string, { port }: ListenAddress) =>
  service(host.replaceAll('.', '-'), host, {
    workloadSelector: undefined,
    endpoints: [{ address: '127.0.0.1', ports: { http: port } }],
  });

/** What a class of this scope gets of these objects; whole tables of listeners too. */
function resourcesOf(yaml: string, scope: SidecarScope): readonly BuiltResource[] {
  const index = createIndex({ idc: scope.idc });
  index.apply(
    loadAll(yaml).map((document): Change => {
      const { object } = parseObject(document, 'all.yaml');
      if (object === undefined) throw new Error('no object');
      return { type: 'upsert', object, at: 0 };
    }),
  );
  const view = index.view();
  const catalog = new Catalog();
  catalog.updateContext(view.idcs, { localIdc: view.idcs.get(scope.idc), filters: {} });
  const planner = createPlanner({ localIdc: scope.idc, hopLimit: 1, loopPrevention: 'on' });
  const all = { groups: new Set(view.groups.keys()), idcs: new Set(view.idcs.keys()) };
  catalog.update(planner.update(view, all, 0));
  const built = catalog.open('all', scope);
  return [...built, ...(catalog.serveWhole('all', ['outbound']).get('all')?.upserts ?? [])];
}

/** The same as it was before there were scopes. */
function asBefore(resources: readonly BuiltResource[]): ResourceJson[] {
  return resources.flatMap(({ kind, name, message }) => {
    const copy: Loose = structuredClone(message);
    if (kind === 'SRDS' || (kind === 'RDS' && name !== 'outbound')) return [];
    if (kind === 'LDS' && name === 'outbound') {
      const manager = copy.filter_chains[0].filters[0].typed_config;
      delete manager.scoped_routes;
      manager.rds = {
        route_config_name: 'outbound',
        config_source: { resource_api_version: 'V3', ads: {}, initial_fetch_timeout: '0s' },
      };
      manager.http_filters = manager.http_filters.flatMap((filter: Loose) => {
        if (filter.name === 'isthmus.hosts') return [];
        return [filter.name === 'isthmus.names' ? { ...filter, disabled: true } : filter];
      });
    }
    return [copy as ResourceJson];
  });
}

/** The proxy's route tables, by name. */
async function tablesOf(admin: ListenAddress): Promise<string[]> {
  const response = await fetch(
    `http://${admin.address}:${admin.port}/config_dump?resource=dynamic_route_configs`,
  );
  const { configs = [] } = (await response.json()) as Loose;
  return configs.map(({ route_config }: Loose) => route_config.name).sort();
}

/** A sidecar with one table, by a server as before; `after` is whom it asks then. */
async function startBefore(t: Test, mode: 'delta' | 'sotw', after?: ListenAddress) {
  const outbound = await freeAddress();
  const scope: SidecarScope = { role: 'sidecar', idc: 'sh-a', namespace: 'shop', outbound };
  const mesh = await startMesh('sh-a', {});
  t.teardown(() => mesh.close());
  const app = await mesh.app((_, response) => response.end('ok'));
  const yaml = toYaml(idc('sh-a'), group('one.shop', app));
  mesh.save('all.yaml', yaml);
  const before = createXdsServer({ classOf: () => 'all' });
  t.teardown(() => before.close(0));
  const port = await before.listen('127.0.0.1:0');
  before.upsert('all', asBefore(resourcesOf(yaml, scope)));
  const { admin } = await mesh.envoy('moves', scope, {
    mode,
    xds: [{ address: '127.0.0.1', port }, after ?? mesh.plane.xds],
  });
  const kept = keptConnection(outbound);
  t.teardown(kept.close);
  await until('it serves', async () => (await kept.ask('one.shop')) === 200);
  t.strictSame(await tablesOf(admin), ['outbound'], 'one table for all');
  const fresh = keptConnection(outbound);
  t.teardown(fresh.close);
  return { outbound, scope, mesh, app, yaml, before, admin, kept, fresh };
}

for (const mode of ['delta', 'sotw'] as const)
  t.test(`a sidecar moves over, ${mode}`, { timeout: 180_000 }, async (t) => {
    const { outbound, mesh, app, before, admin, kept, fresh } = await startBefore(t, mode);
    await until('the next is ready', () => mesh.plane.status().ready);
    const running = runLoad(outbound, 'one.shop');
    await before.close(0);
    await until('it has tables by host', async () => (await tablesOf(admin)).includes('outbound/one.shop'));
    mesh.save('two.yaml', toYaml(group('two.shop', app)));
    await until('a new connection sees a new Group', async () => (await fresh.ask('two.shop')) === 200);
    t.equal(await kept.ask('one.shop'), 200);
    await until('so does one of before', async () => (await kept.ask('two.shop')) === 200);
    mesh.remove('two.yaml');
    await until('and that it is gone', async () => (await kept.ask('two.shop')) === 404);
    const { requests, failed } = await running.stop();
    t.ok(requests > 20, `${requests} requests`);
    t.equal(failed, 0, 'none is lost');
  });

t.test('control: who does not serve the one table leaves connections with the old one', async (t) => {
  const after = createXdsServer({ classOf: () => 'all' });
  t.teardown(() => after.close(0));
  const address = { address: '127.0.0.1', port: await after.listen('127.0.0.1:0') };
  const { scope, app, yaml, before, admin, kept, fresh } = await startBefore(t, 'delta', address);
  const both = resourcesOf(yaml + toYaml(group('two.shop', app)), scope);
  const scoped = both.filter(({ kind, name }) => kind !== 'RDS' || name !== 'outbound');
  after.upsert(
    'all',
    scoped.map(({ message }) => message as ResourceJson),
  );
  await before.close(0);
  await until('it has tables by host', async () => (await tablesOf(admin)).includes('outbound/two.shop'));
  await until('a new connection sees a new Group', async () => (await fresh.ask('two.shop')) === 200);
  t.equal(await kept.ask('one.shop'), 200);
  t.equal(await kept.ask('two.shop'), 404, 'and one of before does not');
});
