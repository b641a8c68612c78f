import { MeshError } from '../base/error.ts';

/** What is redirected, and to where. */
interface CaptureOptions {
  /** Port of the sidecar's capture listener. */
  readonly port: number;
  /** User of the sidecar, whose own connections go out. */
  readonly uid: number;
  /** Destination ports that are left alone. */
  readonly excludePorts: readonly number[];
  /** Destination addresses and prefixes that are left alone, IPv4 and IPv6. */
  readonly excludePrefixes: readonly string[];
}

/** The table of nftables that holds the rules: nothing else is in it. */
export const captureTable = 'inet isthmus';

/**
 * A script for `nft -f -` that redirects outgoing TCP connections of a network namespace, IPv4 and IPv6, to
 * the sidecar. It replaces rules of an earlier run, all at once. DNS, connections within the namespace and
 * those of the sidecar itself are left alone. Throws MeshError `invalid`.
 */
export function buildCaptureRules({ port, uid, excludePorts, excludePrefixes }: CaptureOptions): string {
  const prefixes = excludePrefixes.map(checked);
  const v4 = prefixes.filter((prefix) => !prefix.includes(':'));
  const v6 = prefixes.filter((prefix) => prefix.includes(':'));
  const rules = [
    `meta skuid ${uid} return`,
    'fib daddr type local return',
    // Names are looked up as before (decision 214).
    `tcp dport { ${[...new Set([53, ...excludePorts])].join(', ')} } return`,
    ...(v4.length === 0 ? [] : [`ip daddr { ${v4.join(', ')} } return`]),
    ...(v6.length === 0 ? [] : [`ip6 daddr { ${v6.join(', ')} } return`]),
    `meta l4proto tcp redirect to :${port}`,
  ];
  const lines = rules.map((rule) => `    ${rule}`);
  return [
    // Declared before it is deleted: the first run finds none.
    `table ${captureTable}`,
    `delete table ${captureTable}`,
    `table ${captureTable} {`,
    '  chain output {',
    '    type nat hook output priority -100; policy accept;',
    ...lines,
    '  }',
    '}',
    '',
  ].join('\n');
}

/** Nothing of an annotation gets into the script but digits, dots, colons and a slash. */
function checked(prefix: string): string {
  if (!/^[0-9a-fA-F.:]+(?:\/[0-9]{1,3})?$/.test(prefix))
    throw new MeshError('invalid', `'${prefix}' is not an address or prefix such as 10.0.0.0/8`);
  return prefix;
}
