import { didYouMean } from '../../base/text/suggest.ts';
import type { Finding } from '../../model/finding.ts';
import type { FindingCode } from '../../model/finding-codes.ts';
import { callsNobody, isCaller, type NodeScope } from '../../model/node.ts';
import { isWildcard, mayMatchHost, meaningsOf } from '../../model/values/hostname.ts';

/** The existing Groups by any key. */
export type KnownGroups = ReadonlyMap<
  string,
  {
    readonly host: string;
    readonly entry: {
      readonly meta: { readonly namespace: string };
      readonly spec: {
        readonly resolution: string;
        readonly ports: readonly { readonly protocol: string }[];
      };
    };
  }
>;

/** No hint in a large mesh: comparing a wrong host with every right one takes long. */
const hintsMax = 500;

/** Whether a host is served to proxyless gRPC clients, by its ServiceEntry (`translate/grpc.ts`). */
function isForGrpc(groups: KnownGroups, host: string): boolean {
  return Array.from(groups.values()).some(
    ({ host: declared, entry: { spec } }) =>
      declared === host &&
      spec.resolution === 'STATIC' &&
      spec.ports.some(({ protocol }) => protocol === 'GRPC' || protocol === 'HTTP2'),
  );
}

/** What a connected node reports of itself. */
interface DependingNode {
  readonly node: string;
  readonly scope: NodeScope;
  /** Listeners that it requests and that do not exist: for a gRPC client the targets that it dials. */
  readonly absent?: readonly string[];
}

/**
 * One problem for each host that sidecars depend on without a ServiceEntry, namespace of sidecars without
 * Groups, and target that gRPC clients dial in vain, however many proxies are affected. A proxy itself can
 * only answer 404.
 */
export function describeDependencies(
  proxies: readonly DependingNode[],
  groups: KnownGroups,
): readonly Finding[] {
  const declared = new Set(Array.from(groups.values(), ({ host }) => host));
  const hosts = [...declared];
  const wild = hosts.filter(isWildcard);
  const known = new Map<string, boolean>();
  const isKnown = (wanted: string): boolean => {
    const isThere =
      known.get(wanted) ??
      (declared.has(wanted) ||
        (isWildcard(wanted) ? hosts : wild).some((host) => mayMatchHost(wanted, host)));
    known.set(wanted, isThere);
    return isThere;
  };
  const namespaces = new Set(Array.from(groups.values(), ({ entry }) => entry.meta.namespace));
  const near = hosts.length <= hintsMax ? hosts : [];
  const found = new Map<string, { readonly code: FindingCode; readonly nodes: string[] }>();
  const note = (code: FindingCode, message: string, node: string) => {
    const same = found.get(message);
    if (same === undefined) found.set(message, { code, nodes: [node] });
    else same.nodes.push(node);
  };
  for (const { node, scope, absent = [] } of proxies) {
    if (!isCaller(scope) || callsNobody(scope)) continue;
    const { dependsOn, namespace } = scope;
    for (const host of scope.role === 'grpc' ? (dependsOn ?? []) : []) {
      const meant = meaningsOf(host, namespace).filter((one) => declared.has(one));
      if (meant.length > 0 && !meant.some((one) => isForGrpc(groups, one)))
        note(
          'NotForGrpc',
          `depends on ${host}, which is not served to a gRPC client without a proxy: a port must be GRPC or HTTP2, and the resolution STATIC. Correct the ServiceEntry, or call it through a sidecar.`,
          node,
        );
    }
    for (const target of scope.role === 'grpc' ? absent : []) {
      const host = target.replace(/:\d+$/, '');
      // Reported above as a dependency.
      if (dependsOn?.includes(host)) continue;
      const why = !declared.has(host)
        ? `no ServiceEntry declares ${host}: correct it, or add the ServiceEntry.${didYouMean(host, near)}`
        : isForGrpc(groups, host)
          ? `${host} is neither in its namespace nor in --depends-on, or that port is not GRPC or HTTP2: name the port, xds:///${host}:PORT, where it is not the host's first for HTTP.`
          : `a port of ${host} must be GRPC or HTTP2, and the resolution STATIC: correct the ServiceEntry, or call it through a sidecar.`;
      note(
        declared.has(host) ? 'NotForGrpc' : 'UnknownDependency',
        `dials xds:///${target} in vain: ${why}`,
        node,
      );
    }
    for (const host of dependsOn ?? [])
      if (!meaningsOf(host, namespace).some(isKnown))
        note(
          'UnknownDependency',
          `depends on ${host}, which no ServiceEntry declares, so requests for it find no route: correct --depends-on, or add the ServiceEntry.${didYouMean(host, near)}`,
          node,
        );
    if (dependsOn === undefined && !namespaces.has(namespace))
      note(
        'UnknownDependency',
        `gets the Groups of namespace ${namespace}, which has none, so it routes nothing: correct --namespace, or name hosts with --depends-on.${didYouMean(namespace, namespaces)}`,
        node,
      );
  }
  return [...found].map(
    ([
      message,
      {
        code,
        nodes: [first = '', ...others],
      },
    ]) => {
      const who = others.length === 0 ? first : `${first} (and ${others.length} more)`;
      return { code, severity: 'warning', where: who, path: '', message };
    },
  );
}
