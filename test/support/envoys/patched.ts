import { loadAll } from 'js-yaml';
import type { Bootstrap } from '../../../protos/gen/envoy.d.ts';
import { createIndex } from '../../../src/index/store.ts';
import type { NodeScope } from '../../../src/model/node.ts';
import type { Change } from '../../../src/model/object.ts';
import { createPlanner } from '../../../src/plan/planner.ts';
import { parseObject } from '../../../src/registry/parse/object.ts';
import { Catalog } from '../../../src/translate/catalog.ts';
import type { BuiltResource } from '../../../src/translate/resources.ts';
import type { TypeStatus } from '../../../src/xds/events.ts';
import { type ResourceTypeName, typeUrlOf } from '../../../src/xds/resource-types.ts';
import { createXdsServer, type ResourceJson } from '../../../src/xds/xds.ts';
import { type ProxyProcess, startEnvoy } from './proxied.ts';

/** A resource as it would be pushed: what a test changes of it is the protection that it takes away. */
// biome-ignore lint/suspicious/noExplicitAny: a test reaches for one setting deep in a message.
export type Loose = any;

export interface PatchedOptions {
  readonly scope: NodeScope;
  /** The registry's objects. */
  readonly yaml: string;
  readonly hopLimit?: number;
  readonly loopPrevention?: 'on' | 'off';
  /** What else stands in the Envoy's bootstrap. */
  readonly bootstrap?: Bootstrap;
  /** Alters a message, which is the test's own copy. */
  patch?(message: Loose): void;
}

/** One Envoy that runs what Isthmus translates, but for what a test alters. */
export interface Patched {
  readonly envoy: ProxyProcess;
  /** Takes in other objects; returns when the Envoy has ACKed what followed. */
  save(yaml: string): Promise<void>;
  /** The state of each type on its stream. */
  types(): readonly TypeStatus[];
  close(): Promise<void>;
}

/**
 * Registry objects through index, plan and translate, altered, and served by the real server to a real Envoy:
 * how a protection is taken away that no option switches off. There are no trail filters: a gateway's `patch`
 * takes them out.
 */
export async function startPatched(options: PatchedOptions): Promise<Patched> {
  const server = createXdsServer();
  const port = await server.listen('127.0.0.1:0');
  let served: readonly BuiltResource[] = [];
  const put = (yaml: string) => {
    const before = served;
    served = resourcesOf(options, yaml);
    const there = new Set(served.map(keyOf));
    return server.apply('patched', [
      ...served.map(({ message }) => ({ upsert: message as ResourceJson })),
      ...before.filter((one) => !there.has(keyOf(one))).map(({ kind, name }) => removal(kind, name)),
    ]).revision;
  };
  const acked = async (revision: number) => {
    while (!server.isConfirmed(revision)) await new Promise((resolve) => setTimeout(resolve, 2));
  };
  const first = put(options.yaml);
  const envoy = await startEnvoy('patched', port, 'DELTA_GRPC', options.bootstrap);
  while (server.status().length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await acked(first);
  return {
    envoy,
    save: (yaml) => acked(put(yaml)),
    types: () => server.status()[0]?.types ?? [],
    async close() {
      await envoy.stop();
      await server.close(0);
    },
  };
}

/** For `patch`: takes the trail filters out of a listener of a gateway, which would wait for them. */
export function withoutTrailFilters(message: Loose): void {
  for (const { filters } of message.filter_chains ?? [])
    for (const { typed_config: manager } of filters)
      manager.http_filters = manager.http_filters?.filter((filter: Loose) => !filter.config_discovery);
}

function keyOf({ kind, name }: BuiltResource): string {
  return `${kind} ${name}`;
}

function removal(kind: ResourceTypeName, name: string) {
  return { remove: { typeUrl: typeUrlOf(kind), name } };
}

function resourcesOf({ scope, hopLimit = 1, ...options }: PatchedOptions, yaml: string): BuiltResource[] {
  const changes = loadAll(yaml).map((document): Change => {
    const { object, faults } = parseObject(document, 'patched.yaml');
    if (object === undefined) throw new Error(JSON.stringify(faults));
    return { type: 'upsert', object, at: 0 };
  });
  const index = createIndex({ idc: scope.idc });
  index.apply(changes);
  const view = index.view();
  const { groups, idcs } = view;
  const catalog = new Catalog();
  catalog.updateContext(idcs, { localIdc: idcs.get(scope.idc), filters: {} });
  const loopPrevention = options.loopPrevention ?? 'on';
  const planner = createPlanner({ localIdc: scope.idc, hopLimit, loopPrevention });
  const all = { groups: new Set(groups.keys()), idcs: new Set(idcs.keys()) };
  catalog.update(planner.update(view, all, 0));
  return catalog.open('patched', scope).map((one) => {
    const message = structuredClone(one.message);
    options.patch?.(message);
    return { ...one, message };
  });
}
