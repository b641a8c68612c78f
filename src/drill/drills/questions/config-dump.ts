/** What an Envoy has of a resource, or refuses. */
export interface DumpedResource {
  readonly type: 'CDS' | 'EDS' | 'LDS' | 'RDS' | 'SRDS';
  readonly name: string;
  /**
   * What it has accepted; absent: no version of it. Envoy shows no version of endpoints, whose addresses
   * stand for it, and none of a single scope, for which its key and table stand.
   */
  readonly version?: string;
  /** Why it refuses the newest. */
  readonly error?: string;
}

interface Named {
  readonly name?: string;
}

interface DumpedEntry extends Named {
  readonly version_info?: string;
  readonly cluster?: Named;
  readonly route_config?: Named;
  readonly endpoint_config?: { readonly cluster_name?: string };
  readonly scoped_route_configs?: readonly Named[];
  readonly active_state?: { readonly version_info?: string };
  readonly error_state?: { readonly details?: string; readonly failed_configuration?: Named };
}

interface Dump {
  readonly configs?: readonly Readonly<Record<string, readonly DumpedEntry[] | undefined>>[];
}

/** The dynamic resources of Envoy's `/config_dump?include_eds`. Throws SyntaxError for another text. */
export function parseDump(text: string): DumpedResource[] {
  const { configs = [] } = JSON.parse(text) as Dump;
  return configs.flatMap((config) => [
    // One that was never accepted has its name in what failed alone.
    ...(config.dynamic_listeners ?? []).map((entry) =>
      resourceOf('LDS', entry.name ?? entry.error_state?.failed_configuration?.name, entry),
    ),
    ...(config.dynamic_active_clusters ?? []).map((entry) => resourceOf('CDS', entry.cluster?.name, entry)),
    ...(config.dynamic_route_configs ?? []).map((entry) =>
      resourceOf('RDS', entry.route_config?.name, entry),
    ),
    ...(config.dynamic_scoped_route_configs ?? []).flatMap(({ scoped_route_configs: scopes = [] }) =>
      scopes.map((one) => resourceOf('SRDS', one.name, { version_info: scopeText(one) })),
    ),
    ...(config.dynamic_endpoint_configs ?? []).map(({ endpoint_config: one }) =>
      resourceOf('EDS', one?.cluster_name, { version_info: endpointsText(one ?? {}) }),
    ),
  ]);
}

function resourceOf(
  type: DumpedResource['type'],
  name: string | undefined,
  { active_state, error_state, version_info }: DumpedEntry,
): DumpedResource {
  const version = active_state?.version_info ?? version_info ?? '';
  const error = error_state?.details;
  return {
    ...{ type, name: name ?? '' },
    ...(version === '' ? {} : { version }),
    ...(error === undefined ? {} : { error }),
  };
}

/** The key and the table of a ScopedRouteConfiguration, in either spelling. */
export function scopeText(scope: object): string {
  const text = JSON.stringify(scope);
  const key = Array.from(text.matchAll(/"string(?:_k|K)ey":"([^"]*)"/g), ([, part]) => part);
  const [, table] = /"route(?:_configuration_n|ConfigurationN)ame":"([^"]*)"/.exec(text) ?? [];
  return `[${key.join(' ')} to ${table}]`;
}

/** The addresses in a ClusterLoadAssignment, in the spelling of protobuf's JSON or of its fields. */
export function endpointsText(assignment: object): string {
  const found = JSON.stringify(assignment).matchAll(/"address":"([\d.]+)"[^{}]*?"port(?:_v|V)alue":(\d+)/g);
  return `[${Array.from(found, ([, address, port]) => `${address}:${port}`)
    .sort()
    .join(' ')}]`;
}
