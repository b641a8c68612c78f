import type {
  DestinationRule,
  Protocol,
  ServiceEntry,
  ServicePort,
  TrafficPolicy,
} from '../../model/service.ts';
import { isWildcard, meaningsOf, patternCovers } from '../../model/values/hostname.ts';
import type { Lint } from '../lint.ts';

const http: ReadonlySet<Protocol> = new Set(['HTTP', 'HTTP2', 'GRPC']);

/** Settings of DestinationRules for ports that their hosts do not have, and certificate names without TLS. */
export function lintPolicies(rules: readonly DestinationRule[], entries: readonly ServiceEntry[]): Lint[] {
  const byHost = new Map<string, ServiceEntry[]>();
  for (const entry of entries)
    for (const host of entry.spec.hosts) byHost.set(host, [...(byHost.get(host) ?? []), entry]);
  const withTls = new Set<ServiceEntry>();
  const lints = rules.flatMap((object) => {
    const governed = governedBy(object, byHost);
    const policies = [object.spec.policy, ...Object.values(object.spec.portPolicies)];
    if (policies.some(({ tls }) => tls !== undefined)) for (const entry of governed) withTls.add(entry);
    return lintRule(object, governed);
  });
  const message =
    'have no effect: no DestinationRule has proxies speak TLS to these hosts. Give one with `tls`, or remove them.';
  const named = entries.filter((entry) => entry.spec.subjectAltNames !== undefined && !withTls.has(entry));
  return [
    ...lints,
    ...named.map(
      (object): Lint => ({
        code: 'NoEffect',
        object,
        path: ['spec', 'subjectAltNames'],
        message,
        lacks: ['DestinationRule'],
      }),
    ),
  ];
}

function lintRule(object: DestinationRule, entries: readonly ServiceEntry[]): Lint[] {
  const ports = entries.flatMap(({ spec }) => spec.ports);
  // Undeclared hosts are reported elsewhere.
  if (ports.length === 0) return [];
  const { policy, portPolicies } = object.spec;
  const at = ['spec', 'trafficPolicy'];
  const rest = ports.filter(({ number }) => portPolicies[number] === undefined);
  return [
    ...lintHash(policy, rest).map(
      (message): Lint => ({
        code: 'NoEffect',
        object,
        path: [...at, 'loadBalancer', 'consistentHash'],
        message,
        lacks: ['ServiceEntry'],
      }),
    ),
    ...Object.entries(portPolicies).flatMap(([number, own]): Lint[] => {
      const found = ports.filter((port) => String(port.number) === number);
      const known = [...new Set(ports.map((port) => port.number))].join(', ');
      const messages =
        found.length === 0
          ? [
              `port ${number} has no effect: no ServiceEntry of the host has it, but ${known}. It is the port of the ServiceEntry, not of an instance.`,
            ]
          : lintHash(own, found);
      return messages.map((message) => ({
        code: found.length === 0 ? 'UnknownPort' : 'NoEffect',
        object,
        path: [...at, 'portLevelSettings'],
        message,
        lacks: ['ServiceEntry'],
      }));
    }),
  ];
}

function lintHash({ hash }: TrafficPolicy, ports: readonly ServicePort[]): string[] {
  if (hash === undefined || hash.by.kind === 'source-ip' || ports.length === 0) return [];
  if (ports.some(({ protocol }) => http.has(protocol))) return [];
  const what = hash.by.kind === 'query' ? 'query parameter' : hash.by.kind;
  return [
    `has no effect: a TCP connection has no ${what}. Give \`useSourceIp: true\`, or declare the port as HTTP.`,
  ];
}

/**
 * The ServiceEntries of a rule's hosts. By lookup except for patterns: a large mesh has as many rules as
 * hosts.
 */
function governedBy(
  { meta, spec }: DestinationRule,
  byHost: ReadonlyMap<string, readonly ServiceEntry[]>,
): readonly ServiceEntry[] {
  const found = isWildcard(spec.host)
    ? [...byHost].filter(([host]) => patternCovers(spec.host, host)).map(([, entries]) => entries)
    : meaningsOf(spec.host, meta.namespace).map((host) => byHost.get(host) ?? []);
  return [...new Set(found.flat())];
}
