import { compareDeclarations, declarationFaults, mergePorts } from '../../model/declarations.ts';
import type { ServiceEntry, ServicePort } from '../../model/service.ts';
import type { Lint } from '../lint.ts';

/** Contradictory ServiceEntries of one host. */
export function lintHosts(entries: readonly ServiceEntry[]): Lint[] {
  return [...entriesByHost(entries)].flatMap(([host, declared]) =>
    declarationFaults(host, declared).map(
      ({ entry, path, message }): Lint => ({ code: 'HostConflict', object: entry, path, message }),
    ),
  );
}

/**
 * Finds ports of hosts that are left out, as another ServiceEntry of the namespace declares them differently.
 */
export function findRefused(entries: readonly ServiceEntry[]): (host: string, port: ServicePort) => boolean {
  const refused = new Map<ServicePort, Set<string>>();
  for (const [host, declared] of entriesByHost(entries)) {
    if (declared.length < 2) continue;
    for (const namespace of new Set(declared.map(({ meta }) => meta.namespace))) {
      const siblings = declared.filter(({ meta }) => meta.namespace === namespace);
      for (const { port } of mergePorts(siblings).refused)
        refused.set(port, (refused.get(port) ?? new Set()).add(host));
    }
  }
  return (host, port) => refused.get(port)?.has(host) === true;
}

/** ServiceEntries of each host, in order of precedence. */
export function entriesByHost(
  entries: readonly ServiceEntry[],
): ReadonlyMap<string, readonly ServiceEntry[]> {
  const found = new Map<string, ServiceEntry[]>();
  for (const entry of entries) {
    for (const host of entry.spec.hosts) {
      const known = found.get(host);
      if (known === undefined) found.set(host, [entry]);
      else known.push(entry);
    }
  }
  for (const declared of found.values()) declared.sort(compareDeclarations);
  return found;
}
