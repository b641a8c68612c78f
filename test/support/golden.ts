import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadAll } from 'js-yaml';
import { stringify } from 'yaml';
import { createIndex } from '../../src/index/store.ts';
import type { NodeRole, NodeScope } from '../../src/model/node.ts';
import type { Change } from '../../src/model/object.ts';
import { createPlanner } from '../../src/plan/planner.ts';
import { parseObject } from '../../src/registry/parse/object.ts';
import { Catalog } from '../../src/translate/catalog.ts';
import type { BuiltResource } from '../../src/translate/resources.ts';

/** Where the cases stand. */
export const goldenDir = new URL('../golden/', import.meta.url).pathname;

/** What has an Envoy to accept it; for gRPC clients there is test/translate/grpc.test.ts. */
type ProxyRole = Exclude<NodeRole, 'grpc'>;

/** A proxy of each role, as the goldens assume it in zone z1 of sh-a. */
const scopes: Readonly<Record<ProxyRole, NodeScope>> = {
  sidecar: {
    role: 'sidecar',
    idc: 'sh-a',
    namespace: 'shop',
    zone: 'z1',
    outbound: { address: '127.0.0.1', port: 15001 },
  },
  ingress: {
    role: 'ingress',
    idc: 'sh-a',
    zone: 'z1',
    edge: { address: '0.0.0.0', port: 8080 },
    peer: { address: '0.0.0.0', port: 15443 },
  },
  egress: {
    role: 'egress',
    idc: 'sh-a',
    sidecar: { address: '0.0.0.0', port: 15444 },
    ingress: { address: '0.0.0.0', port: 15445 },
  },
};

/** The names of all cases. */
export function goldenCases(): readonly string[] {
  return readdirSync(goldenDir).sort();
}

/** A case's objects through index and plan; `scopes`: its proxies, with what its `sidecar.yaml` says. */
export function planCase(name: string) {
  const text = readFileSync(join(goldenDir, name, 'in.yaml'), 'utf8');
  const changes = loadAll(text).map((document): Change => {
    const { object, faults } = parseObject(document, `${name}/in.yaml`);
    if (object === undefined) throw new Error(`${name}: ${JSON.stringify(faults)}`);
    return { type: 'upsert', object, at: 0 };
  });
  const index = createIndex({ idc: 'sh-a' });
  index.apply(changes);
  const view = index.view();
  const { groups, idcs } = view;
  const planner = createPlanner({ localIdc: 'sh-a', hopLimit: 4, loopPrevention: 'on' });
  const all = { groups: new Set(groups.keys()), idcs: new Set(idcs.keys()) };
  const plans = planner.update(view, all, 0);
  const more = join(goldenDir, name, 'sidecar.yaml');
  const said = existsSync(more) ? (loadAll(readFileSync(more, 'utf8'))[0] as object) : {};
  return { idcs, plans, scopes: { ...scopes, sidecar: { ...scopes.sidecar, ...said } as NodeScope } };
}

/** As `planCase`, and through translate; the messages by role. */
export function buildCase(name: string): Readonly<Record<ProxyRole, readonly BuiltResource[]>> {
  const { idcs, plans, scopes } = planCase(name);
  const catalog = new Catalog();
  catalog.updateContext(idcs, { localIdc: idcs.get('sh-a'), filters: {} });
  catalog.update(plans);
  const open = (role: ProxyRole) => catalog.open(role, scopes[role]);
  return { sidecar: open('sidecar'), ingress: open('ingress'), egress: open('egress') };
}

/** The files that a case should have, by name: `<role>.<type>.yaml`, none for what is empty. */
export function goldenFiles(name: string): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const [role, built] of Object.entries(buildCase(name))) {
    for (const kind of ['CDS', 'EDS', 'LDS', 'SRDS', 'RDS'] as const) {
      const messages = built.filter((one) => one.kind === kind).map((one) => one.message);
      if (messages.length === 0) continue;
      files.set(`${role}.${kind.toLowerCase()}.yaml`, stringify(messages, { aliasDuplicateObjects: false }));
    }
  }
  return files;
}

/** The files that a case has. */
export function storedFiles(name: string): ReadonlyMap<string, string> {
  const dir = join(goldenDir, name);
  const names = readdirSync(dir).filter((file) => file !== 'in.yaml' && file !== 'sidecar.yaml');
  return new Map(names.map((file) => [file, readFileSync(join(dir, file), 'utf8')]));
}

/** Rewrites a case's files and deletes those that it should not have. */
export function rewriteCase(name: string): void {
  const dir = join(goldenDir, name);
  for (const file of storedFiles(name).keys()) rmSync(join(dir, file));
  for (const [file, text] of goldenFiles(name)) writeFileSync(join(dir, file), text);
}

type Json = Record<string, unknown>;

/**
 * Has a real Envoy validate all messages of a role as one static configuration: endpoints in their clusters
 * and routes in their listeners, or it would not look at them. `files` stand for those that messages name.
 * Returns Envoy's words when it rejects them.
 */
export function envoyRejects(
  envoy: string,
  built: readonly BuiltResource[],
  files: Readonly<Record<string, string>> = {},
): string | undefined {
  const of = (kind: string) => built.filter((one) => one.kind === kind).map((one) => one.message as Json);
  const byName = (kind: string, key: string) => new Map(of(kind).map((one) => [one[key], bare(one)]));
  const assignments = byName('EDS', 'cluster_name');
  const routes = byName('RDS', 'name');
  const inline = of('SRDS').map((message) => {
    const { route_configuration_name: name, ...scope } = bare(message);
    return { ...scope, route_configuration: routes.get(name) };
  });
  const clusters = of('CDS').map((message) => {
    const { eds_cluster_config: eds, type, ...cluster } = bare(message);
    return eds === undefined
      ? bare(message)
      : { ...cluster, type: 'STATIC', load_assignment: assignments.get(cluster.name) };
  });
  const listeners = of('LDS').map((message) => {
    const listener = structuredClone(bare(message)) as {
      filter_chains: { filters: { typed_config: Json }[] }[];
    };
    for (const { filters } of listener.filter_chains) {
      const config = filters[0]?.typed_config as Json;
      if (config.rds !== undefined) {
        config.route_config = routes.get((config.rds as Json).route_config_name);
        delete config.rds;
      } else if (config.scoped_routes !== undefined) {
        const { scoped_rds: _, ...scoped } = config.scoped_routes as Json;
        config.scoped_routes = {
          ...scoped,
          scoped_route_configurations_list: { scoped_route_configurations: inline },
        };
      } else continue;
      // A filter that is to be discovered needs a control plane; its own test has one.
      config.http_filters = (config.http_filters as Json[]).filter(
        (filter) => !('config_discovery' in filter),
      );
    }
    return listener;
  });
  const dir = mkdtempSync(join(tmpdir(), 'isthmus-golden-'));
  try {
    const file = join(dir, 'envoy.json');
    // A secret in a file is asked for by somebody.
    const node = { id: 'golden', cluster: 'golden' };
    const text = JSON.stringify({ node, static_resources: { clusters, listeners } });
    const named = Object.entries(files).reduce((all, [name, real]) => all.replaceAll(name, real), text);
    writeFileSync(file, named);
    execFileSync(envoy, ['--mode', 'validate', '-l', 'error', '-c', file], { stdio: 'pipe' });
    return undefined;
  } catch (reason) {
    return String((reason as { stderr?: Buffer }).stderr ?? reason);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** A message without its '@type'. */
function bare(message: Json): Json {
  const { '@type': _, ...rest } = message;
  return rest;
}
