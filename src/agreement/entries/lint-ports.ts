import type { Idc } from '../../model/idc.ts';
import type { ServiceEntry } from '../../model/service.ts';
import type { Lint } from '../lint.ts';
import { entriesByHost } from './lint-hosts.ts';

const http: ReadonlySet<string> = new Set(['HTTP', 'HTTP2', 'GRPC']);

/**
 * Edge ports that are also a port of a host, but not its default one. Clients send the dialled port in Host,
 * so `http://host:EDGEPORT/` means that port of the host (docs/decisions/070-ports-of-a-host.md).
 */
export function lintPorts(entries: readonly ServiceEntry[], idcs: readonly Idc[]): Lint[] {
  const edges = new Map<number, string>();
  for (const { meta, spec } of idcs) {
    for (const { edgePort } of spec.ingress) {
      if (!edges.has(edgePort)) edges.set(edgePort, meta.name);
    }
  }
  if (edges.size === 0) return [];
  const declared = entriesByHost(entries);
  return entries.flatMap((entry) => {
    const { ports, hosts } = entry.spec;
    // The default port of a host is that of the first ServiceEntry of the namespace that has one.
    const siblings = (declared.get(hosts[0] ?? '') ?? []).filter(
      ({ meta }) => meta.namespace === entry.meta.namespace,
    );
    const first = siblings.flatMap(({ spec }) => spec.ports).find(({ protocol }) => http.has(protocol));
    return ports.flatMap((port, index): Lint[] => {
      const idc = edges.get(port.number);
      if (idc === undefined || port === first || !http.has(port.protocol)) return [];
      const message = `is also the edge port of Idc ${idc}: a client there that writes ${hosts[0]}:${port.number} gets this port, and not the default one, ${first?.number}. Put the default port first, or give the edge another port.`;
      return [{ code: 'AmbiguousPort', object: entry, path: ['spec', 'ports', index, 'number'], message }];
    });
  });
}
