import { type ListenAddress, showAddress } from '../../../src/model/values/listen-address.ts';
import { createXdsServer, type ResourceJson } from '../../../src/xds/xds.ts';
import { connectXds, typeUrl } from '../clients/xds-client.ts';

// biome-ignore lint/suspicious/noExplicitAny: a test reaches into messages.
type Loose = any;

/** A control plane as it was before there were scopes: one route table for each listener. */
export interface BeforeScopes {
  readonly xds: ListenAddress;
  /** Ends it; its proxies go to the next one that they know. */
  close(): Promise<void>;
}

/**
 * Serves each proxy what the control plane at `plane` has for it now, in the form of before. It asks that as
 * such a proxy would, and follows no changes.
 */
export async function startBeforeScopes(plane: ListenAddress): Promise<BeforeScopes> {
  const server = createXdsServer({
    classOf: (node) => node.id ?? '',
    onUnknownClass({ node, nodeClass }) {
      void resourcesOf(plane, node).then((resources) =>
        server.upsert(nodeClass, resources.flatMap(asBefore)),
      );
    },
  });
  const port = await server.listen('127.0.0.1:0');
  return { xds: { address: '127.0.0.1', port }, close: () => server.close(0) };
}

const wildcards = ['CDS', 'EDS', 'LDS', 'RDS', 'ECDS', 'RTDS'] as const;

/** All that a proxy gets from a control plane, whole tables of listeners included. */
async function resourcesOf(plane: ListenAddress, node: object): Promise<Loose[]> {
  const client = connectXds(showAddress(plane), 'delta', node);
  const all = new Map<string, Loose>();
  for (const type of wildcards) client.send(type, { resource_names_subscribe: ['*'] });
  try {
    while (all.size === 0 || !isWhole([...all.values()])) {
      const response = await client.next();
      for (const { name, resource } of (response.resources ?? []) as unknown as readonly Loose[])
        all.set(`${resource['@type']} ${name}`, resource);
      client.ack(response);
    }
  } finally {
    client.close();
  }
  return [...all.values()];
}

/** Whether there are listeners, and all that clusters and listeners name. */
function isWhole(all: readonly Loose[]): boolean {
  const has = (type: string, name: string) =>
    all.some((one) => one['@type'] === typeUrl(type) && (one.name ?? one.cluster_name) === name);
  const of = (type: string) => all.filter((one) => one['@type'] === typeUrl(type));
  return (
    of('LDS').length > 0 &&
    of('CDS').every(
      ({ name, type, eds_cluster_config: eds }) => type !== 'EDS' || has('EDS', eds.service_name ?? name),
    ) &&
    of('LDS').every((listener) =>
      managersOf(listener).every(
        (manager) =>
          (manager.scoped_routes === undefined || has('RDS', listener.name)) &&
          manager.http_filters.every(
            ({ name, config_discovery: found }: Loose) => found === undefined || has('ECDS', name),
          ),
      ),
    )
  );
}

function managersOf(listener: Loose): Loose[] {
  return (listener.filter_chains ?? [])
    .flatMap(({ filters }: Loose) => filters)
    .map(({ typed_config }: Loose) => typed_config)
    .filter(({ http_filters }: Loose) => http_filters !== undefined);
}

/** A resource in the form of before; none if there was none. */
function asBefore(message: Loose): ResourceJson[] {
  const type = message['@type'];
  if (type === typeUrl('SRDS') || (type === typeUrl('RDS') && message.name.includes('/'))) return [];
  if (type !== typeUrl('LDS')) return [message];
  const copy: Loose = structuredClone(message);
  for (const manager of managersOf(copy)) {
    if (manager.scoped_routes === undefined) continue;
    delete manager.scoped_routes;
    manager.rds = {
      route_config_name: copy.name,
      config_source: { resource_api_version: 'V3', ads: {}, initial_fetch_timeout: '0s' },
    };
    manager.http_filters = manager.http_filters.flatMap((filter: Loose) => {
      if (filter.name === 'isthmus.hosts') return [];
      return [filter.name === 'isthmus.names' ? { ...filter, disabled: true } : filter];
    });
  }
  return [copy];
}
