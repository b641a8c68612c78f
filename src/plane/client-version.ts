import { safeExcerpt } from '../base/text/safe-excerpt.ts';
import type { Node } from '../xds/xds.ts';

/** The program of an xDS client and its version, as its node states them. */
interface ClientVersion {
  /** Such as `envoy`, or `gRPC Go`. */
  readonly name: string;
  /** Such as `1.40.0`. */
  readonly version: string;
}

// A node may have a megabyte, and the status has this for each proxy.
const textBytesMax = 64;

/**
 * What a node says of the program it runs, cut and escaped for a status; undefined where it says nothing.
 */
export function clientVersion(node: Node): ClientVersion | undefined {
  const { user_agent_name: name, user_agent_build_version: build, user_agent_version: text } = node;
  if (name === undefined) return undefined;
  const { major_number: major = 0, minor_number: minor = 0, patch = 0 } = build?.version ?? {};
  const version = build?.version === undefined ? text : `${major}.${minor}.${patch}`;
  if (version === undefined) return undefined;
  return { name: safeExcerpt(name, textBytesMax), version: safeExcerpt(version, textBytesMax) };
}
