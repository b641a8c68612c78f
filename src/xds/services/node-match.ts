import type { envoy } from '../../../protos/gen/envoy.d.ts';
import { MeshError } from '../../base/error.ts';
import type { Node } from '../events.ts';

type NodeMatcher = envoy.type.matcher.v3.NodeMatcher;
type StringMatcher = envoy.type.matcher.v3.StringMatcher;
type StructMatcher = envoy.type.matcher.v3.StructMatcher;

// Each condition is tried on each node: a request of some KiB could take seconds.
const conditionsMax = 100;

/** Throws MeshError 'invalid' if there are too many conditions. */
export function checkMatchers(matchers: readonly NodeMatcher[]): void {
  let count = 0;
  for (const { node_metadatas = [] } of matchers)
    count += 1 + node_metadatas.reduce((sum, { path = [] }) => sum + 1 + path.length, 0);
  if (count > conditionsMax)
    throw new MeshError(
      'invalid',
      `node_matchers have ${count} conditions: at most ${conditionsMax} are tried`,
    );
}

/**
 * Whether a node matches any of `matchers`; an empty list matches all ("the match follows OR semantics",
 * envoy/service/status/v3/csds.proto). Within one, the id and each metadata matcher must match. Throws
 * MeshError 'invalid' for unsupported matchers: regular expressions, which a client could make expensive, and
 * values other than strings and booleans.
 */
export function matchesNode(node: Node, matchers: readonly NodeMatcher[]): boolean {
  if (matchers.length === 0) return true;
  return matchers.some(({ node_id, node_metadatas = [] }) => {
    if (node_id && !matchesText(node.id ?? '', node_id)) return false;
    return node_metadatas.every((one) => matchesMetadata(node.metadata, one));
  });
}

function matchesText(text: string, matcher: StringMatcher): boolean {
  const { exact, prefix, suffix, contains, ignore_case } = matcher;
  const folded = (one: string) => (ignore_case ? one.toLowerCase() : one);
  const value = folded(text);
  if (exact !== undefined) return value === folded(exact);
  if (prefix !== undefined) return value.startsWith(folded(prefix));
  if (suffix !== undefined) return value.endsWith(folded(suffix));
  if (contains !== undefined) return value.includes(folded(contains));
  throw new MeshError('invalid', 'strings are matched by exact, prefix, suffix or contains here');
}

function matchesMetadata(metadata: unknown, { path = [], value }: StructMatcher): boolean {
  let found: unknown = metadata;
  for (const { key = '' } of path)
    found =
      typeof found === 'object' && found !== null && Object.hasOwn(found, key)
        ? (found as Record<string, unknown>)[key]
        : undefined;
  if (value?.string_match) return typeof found === 'string' && matchesText(found, value.string_match);
  if (value?.bool_match !== undefined) return found === value.bool_match;
  if (value?.present_match !== undefined) return (found !== undefined) === value.present_match;
  throw new MeshError('invalid', 'metadata is matched by string_match, bool_match or present_match here');
}
