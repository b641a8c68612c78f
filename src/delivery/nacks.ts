/** What a stream says of one type, as far as it matters here. */
export interface RefusedType {
  readonly type: string;
  readonly nack: { readonly message: string; readonly names: readonly string[] } | undefined;
}

/** One kind of refusal, in the form of a problem. */
export interface RefusalProblem {
  readonly severity: 'error';
  readonly where: string;
  readonly path: '';
  readonly message: string;
}

/**
 * What proxies refuse at this moment: one problem for each type and reason, however many proxies say the same, with the
 * first of them by name, and what to do.
 */
export function describeNacks(
  streams: readonly { readonly node: string; readonly types: readonly RefusedType[] }[],
): readonly RefusalProblem[] {
  const byReason = new Map<
    string,
    { type: string; reason: string; nodes: string[]; names: readonly string[] }
  >();
  for (const { node, types } of streams) {
    for (const { type, nack } of types) {
      if (nack === undefined) continue;
      const key = `${type} ${nack.message}`;
      const entry = byReason.get(key) ?? { type, reason: nack.message, nodes: [], names: nack.names };
      entry.nodes.push(node);
      byReason.set(key, entry);
    }
  }
  return [...byReason.values()].map(({ type, reason, nodes, names }) => {
    const [first, ...others] = nodes.sort();
    const who = others.length === 0 ? `${first}` : `${first} and ${others.length} more`;
    const what = names.length === 0 ? 'it' : names.join(', ');
    const message = `${who} refused ${what} and kept the last good one: ${reason.trimEnd()}. ${remedyOf(reason)}`;
    return { severity: 'error', where: type, path: '', message };
  });
}

/** What to do about a refusal, by Envoy's words for it, which are those of the system where a port could not be bound. */
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
