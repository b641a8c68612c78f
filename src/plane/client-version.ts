import type { Node } from '../xds/xds.ts';

/** The program of an xDS client and its version, as its node states them. */
interface ClientVersion {
  /** Such as `envoy`, or `gRPC Go`. */
  readonly name: string;
  /** Such as `1.40.0`. */
  readonly version: string;
}

/** What a node says of the program it runs; undefined where it says nothing. */
export function clientVersion(node: Node): ClientVersion | undefined {
  const { user_agent_name: name, user_agent_build_version: build, user_agent_version: text } = node;
  if (name === undefined) return undefined;
  const { major_number: major = 0, minor_number: minor = 0, patch = 0 } = build?.version ?? {};
  const version = build?.version === undefined ? text : `${major}.${minor}.${patch}`;
  return version === undefined ? undefined : { name, version };
}
