import { MeshError } from '../base/error.ts';
import type { ConfigHead, ShownResource } from '../contract/lines/config-lines.ts';
import { operations } from '../contract/operations.ts';
import { type ListenAddress, showAddress } from '../model/values/listen-address.ts';
import { foreignText } from './api-client.ts';
import { readPage } from './status-client.ts';

/** The configuration of a node: what it was sent, and what it has acknowledged. */
export interface ConfigAnswer extends Omit<ConfigHead, 'resources'> {
  readonly resources: readonly ShownResource[];
}

/** What is asked of it; absent: all types and names. */
interface ConfigPart {
  readonly type?: string | undefined;
  readonly name?: string | undefined;
  /** With the resources themselves. */
  readonly contents: boolean;
}

/**
 * Requests the configuration of a node. Throws MeshError `unavailable` without a complete answer, `not-found`
 * if the node is not connected there, or has no such resource.
 */
export async function askConfig(
  admin: ListenAddress,
  node: string,
  { type, name, contents }: ConfigPart,
): Promise<ConfigAnswer> {
  const query = new URLSearchParams({
    ...(type !== undefined && { type }),
    ...(name !== undefined && { name }),
    ...(contents && { contents: 'true' }),
  }).toString();
  const path = operations.getConfig.path.replace('{node}', encodeURIComponent(node));
  const { text } = await readPage(admin, query === '' ? path : `${path}?${query}`);
  const [head, ...lines] = parsedLines(text) ?? [];
  if (typeof head?.resources !== 'number' || !lines.every(isShown))
    throw new MeshError('unavailable', foreignText(admin, path));
  const { resources, ...about } = head as ConfigHead;
  if (resources !== lines.length)
    throw new MeshError(
      'unavailable',
      `${showAddress(admin)} has sent ${lines.length} of ${resources} resources`,
    );
  return { ...about, resources: lines as readonly ShownResource[] };
}

/** Whether a line has what the line of a resource always has. */
function isShown(line: Partial<ShownResource> | null): boolean {
  return [line?.type, line?.name, line?.state].every((one) => typeof one === 'string');
}

/** Lines of JSON; undefined: some line is none. */
function parsedLines(text: string) {
  try {
    return text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  } catch {
    return undefined;
  }
}
