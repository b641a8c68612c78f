import type { Finding } from '../model/finding.ts';

/** A client's refusal, with its message; `lacking`: names of which it has no earlier version. */
interface RefusedNames {
  readonly message: string;
  readonly names: readonly string[];
  readonly lacking: readonly string[];
}

/** The relevant status of one type of a stream. */
interface RefusedType {
  readonly type: string;
  readonly nack: RefusedNames | undefined;
}

/**
 * What proxies refuse at this moment: one finding for each type and reason, however many proxies say the
 * same, with the first of them by name, and what to do.
 */
export function describeNacks(
  streams: readonly { readonly node: string; readonly types: readonly RefusedType[] }[],
): readonly Finding[] {
  const byReason = new Map<string, { type: string; nodes: string[]; nack: RefusedNames }>();
  for (const { node, types } of streams) {
    for (const { type, nack } of types) {
      if (nack === undefined) continue;
      const key = `${type} ${nack.lacking.length} ${nack.message}`;
      const entry = byReason.get(key) ?? { type, nodes: [], nack };
      entry.nodes.push(node);
      byReason.set(key, entry);
    }
  }
  return [...byReason.values()].map(({ type, nodes, nack }) => {
    const { message: reason, names } = nack;
    const [first, ...others] = nodes.sort();
    const who = others.length === 0 ? `${first}` : `${first} and ${others.length} more`;
    const what = names.length === 0 ? 'a part of it' : names.join(', ');
    const message = `${who} refused ${what} and ${remainderOf(nack)}: ${reason.trimEnd()}. ${remedyOf(reason)}`;
    return { code: 'ResourceRefused', severity: 'error', where: type, path: '', message };
  });
}

/** What a client that refused a resource continues with. */
export function remainderOf({ names, lacking }: Omit<RefusedNames, 'message'>): string {
  if (names.length === 0) return 'continues with what it had, if anything';
  const kept = names.length - lacking.length;
  if (lacking.length === 0) return kept === 1 ? 'kept the last good one' : 'kept the last good ones';
  if (kept > 0) return `goes without ${lacking.join(', ')}, and kept the last good of the others`;
  return lacking.length === 1
    ? 'goes without it, having no earlier one'
    : 'goes without them, having no earlier ones';
}

/** The remedy for a refusal, by Envoy's message, which quotes the system if a port could not be bound. */
export function remedyOf(reason: string): string {
  const [, address] = /cannot bind '([^']*)'/.exec(reason) ?? [];
  if (address !== undefined && reason.includes('Address already in use'))
    return `Another process has ${address} on that machine: stop it, or give the ServiceEntry another port or other \`addresses\`.`;
  if (address !== undefined && reason.includes('assign requested address'))
    return `That machine does not have the address of ${address}: add it there, or correct it.`;
  if (address !== undefined && reason.includes('Permission denied'))
    return `That Envoy may not listen on ${address}: choose a port from 1024 on, or give it CAP_NET_BIND_SERVICE.`;
  return 'Correct the object that it comes from, or what it needs on that machine.';
}
