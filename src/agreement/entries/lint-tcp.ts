import type { ServiceEntry } from '../../model/service.ts';
import type { Lint } from '../lint.ts';
import { findRefused } from './lint-hosts.ts';

const http: ReadonlySet<string> = new Set(['HTTP', 'HTTP2', 'GRPC']);
/** Protocols whose connections name their host: they can share a port. */
const named: ReadonlySet<string> = new Set(['TLS', 'HTTPS']);

/**
 * TCP ports that sidecars of a namespace cannot listen on, as another host has their address and port: the
 * first by host has it (`plan/tcp.ts`). Sidecars that name hosts of several namespaces may have more
 * conflicts.
 */
export function lintTcp(entries: readonly ServiceEntry[]): Lint[] {
  const isRefused = findRefused(entries);
  const winners = new Map<string, { readonly host: string; readonly shares: boolean }>();
  // Groups reached by CONNECT only have no listener.
  const served = entries.filter(
    ({ spec }) => spec.resolution !== 'NONE' && spec.resolution !== 'DYNAMIC_DNS',
  );
  const wanted = served.flatMap((entry) =>
    entry.spec.ports.flatMap((port, index) =>
      http.has(port.protocol)
        ? []
        : entry.spec.hosts
            .map((host) => ({ entry, index, host, shares: named.has(port.protocol) }))
            .filter(({ host, shares }) => (shares || !host.startsWith('*')) && !isRefused(host, port))
            .flatMap((one) => listensOf(entry, port.number).map((key) => ({ ...one, key }))),
    ),
  );
  for (const { host, shares, key } of wanted) {
    const first = winners.get(key);
    if (first === undefined || host < first.host) winners.set(key, { host, shares });
  }
  const lints = new Map<string, Lint>();
  for (const { entry, index, host, shares, key } of wanted) {
    const winner = winners.get(key);
    if (winner === undefined || winner.host === host || (winner.shares && shares)) continue;
    const number = entry.spec.ports[index]?.number;
    const where =
      entry.spec.addresses === undefined ? '`addresses`, such as [127.1.0.1]' : 'other `addresses`';
    const message = `sidecars of namespace ${entry.meta.namespace} listen for ${winner.host} there, which comes first by host, so ${host}:${number} is not reached: give it ${where}.`;
    const path = ['spec', 'ports', index, 'number'];
    lints.set(`${entry.meta.namespace}/${entry.meta.name} ${host} ${index}`, {
      code: 'ListenerConflict',
      object: entry,
      path,
      message,
    });
  }
  return [...lints.values()];
}

/**
 * The addresses at which sidecars of its namespace listen for an entry's port, as keys; '' is their outbound
 * address.
 */
function listensOf({ meta, spec }: ServiceEntry, port: number): string[] {
  return (spec.addresses ?? ['']).map((address) => JSON.stringify([meta.namespace, address, port]));
}
