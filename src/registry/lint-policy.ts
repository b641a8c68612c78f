import { covers, isWildcard, meaningsOf } from '../model/hostname.ts';
import type {
  DestinationRule,
  Protocol,
  ServiceEntry,
  ServicePort,
  TrafficPolicy,
} from '../model/service.ts';
import type { Lint } from './lint-finding.ts';

const http: ReadonlySet<Protocol> = new Set(['HTTP', 'HTTP2', 'GRPC']);

/** What DestinationRules say that no port of their hosts has, and names for TLS that nobody asks for. */
export function lintPolicies(rules: readonly DestinationRule[], entries: readonly ServiceEntry[]): Lint[] {
  return [
    ...rules.flatMap((object) =>
      lintRule(
        object,
        entries.filter((entry) => isFor(object, entry)),
      ),
    ),
    ...entries.flatMap((object): Lint[] => {
      if (object.spec.subjectAltNames === undefined || asksForTls(object, rules)) return [];
      const message =
        'have no effect: no DestinationRule has proxies speak TLS to these hosts. Give one with `tls`, or remove them.';
      return [{ object, path: ['spec', 'subjectAltNames'], message, lacks: ['DestinationRule'] }];
    }),
  ];
}

function lintRule(object: DestinationRule, entries: readonly ServiceEntry[]): Lint[] {
  const ports = entries.flatMap(({ spec }) => spec.ports);
  // Hosts that nobody declares are told elsewhere.
  if (ports.length === 0) return [];
  const { policy, portPolicies } = object.spec;
  const at = ['spec', 'trafficPolicy'];
  const rest = ports.filter(({ number }) => portPolicies[number] === undefined);
  return [
    ...lintHash(policy, rest).map(
      (message): Lint => ({
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

function asksForTls(entry: ServiceEntry, rules: readonly DestinationRule[]): boolean {
  return rules.some(
    (rule) =>
      isFor(rule, entry) &&
      [rule.spec.policy, ...Object.values(rule.spec.portPolicies)].some(({ tls }) => tls !== undefined),
  );
}

/** Whether a rule's host is one of a ServiceEntry's. */
function isFor({ meta, spec }: DestinationRule, entry: ServiceEntry): boolean {
  const meanings = meaningsOf(spec.host, meta.namespace);
  return entry.spec.hosts.some((host) =>
    meanings.some((one) => (isWildcard(one) ? covers(one, host) : one === host)),
  );
}
