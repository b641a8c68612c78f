/** What a stream says of one type, as far as it matters here. */
export interface RefusedType {
  readonly type: string;
  readonly nack: { readonly message: string } | undefined;
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
 * first of them by name.
 */
export function describeNacks(
  streams: readonly { readonly node: string; readonly types: readonly RefusedType[] }[],
): readonly RefusalProblem[] {
  const byReason = new Map<string, { type: string; reason: string; nodes: string[] }>();
  for (const { node, types } of streams) {
    for (const { type, nack } of types) {
      if (nack === undefined) continue;
      const key = `${type} ${nack.message}`;
      const entry = byReason.get(key) ?? { type, reason: nack.message, nodes: [] };
      entry.nodes.push(node);
      byReason.set(key, entry);
    }
  }
  return [...byReason.values()].map(({ type, reason, nodes }) => {
    const [first, ...others] = nodes.sort();
    const who = others.length === 0 ? `${first}` : `${first} and ${others.length} more`;
    const message = `${who} refused it and kept the last good one: ${reason}`;
    return { severity: 'error', where: type, path: '', message };
  });
}
