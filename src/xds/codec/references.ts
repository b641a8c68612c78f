/** The name of the assignment that a cluster, as JSON, asks for; none where it has no EDS. */
export function assignmentOf(cluster: Readonly<Record<string, unknown>>): readonly string[] {
  if (cluster.type !== 'EDS') return [];
  const config = (cluster.eds_cluster_config ?? cluster.edsClusterConfig ?? {}) as Record<string, unknown>;
  const service = config.service_name ?? config.serviceName;
  return [typeof service === 'string' && service !== '' ? service : String(cluster.name)];
}

/** The route configuration that a scope, as JSON, leads to; none where it has one within itself. */
export function tableOf(scope: Readonly<Record<string, unknown>>): readonly string[] {
  const table = scope.route_configuration_name ?? scope.routeConfigurationName;
  if (typeof table !== 'string' || table === '') return [];
  // Mostly the scope's own name: the same string, as there may be very many.
  return [table === scope.name ? scope.name : table];
}

/** The route configurations that a listener, as JSON, asks for. */
export function routeConfigurationsOf(listener: Readonly<Record<string, unknown>>): readonly string[] {
  return [...routeConfigurations(listener, new Set())];
}

/** Every `route_config_name`, at any depth: HTTP connection managers nest in chains, chains in lists. */
function routeConfigurations(value: unknown, found: Set<string>): Set<string> {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return found;
  for (const [key, member] of Object.entries(value)) {
    const named = key === 'route_config_name' || key === 'routeConfigName';
    if (named && typeof member === 'string') found.add(member);
    else routeConfigurations(member, found);
  }
  return found;
}
