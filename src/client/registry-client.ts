import { MeshError } from '../base/error.ts';
import {
  type RegistryHead,
  type RegistryLine,
  registryFormat,
  type WrittenHead,
} from '../contract/lines/registry-lines.ts';
import { operations } from '../contract/operations.ts';
import type { MeshObject } from '../model/object.ts';
import { type ListenAddress, showAddress } from '../model/values/listen-address.ts';
import { foreignText } from './api-client.ts';
import { readPage } from './status-client.ts';

/** What a control plane decides by: settings, classes of proxies, and objects by source. */
export interface RegistryAnswer {
  readonly head: RegistryHead;
  readonly sources: readonly { readonly name: string; readonly objects: readonly MeshObject[] }[];
}

/**
 * Requests all objects in force. Throws MeshError `unavailable` without a complete answer, `unsupported` if
 * the control plane is of a version whose objects have another form.
 */
export async function askRegistry(admin: ListenAddress): Promise<RegistryAnswer> {
  const { text } = await readPage(admin, operations.getRegistry.path);
  const [head, ...lines] = linesOf(text, admin);
  const where = showAddress(admin);
  if (head.format !== registryFormat.format || head.version !== registryFormat.version)
    throw new MeshError(
      'unsupported',
      `the control plane at ${where} is of another version: run the \`isthmus\` of its version`,
    );
  const sources = head.sources.map((name) => ({ name, objects: [] as MeshObject[] }));
  for (const line of lines) {
    const { source, objects } = line;
    for (const object of objects) sources[source]?.objects.push(object);
  }
  const found = sources.reduce((sum, { objects }) => sum + objects.length, 0);
  if (found !== head.objects)
    throw new MeshError('unavailable', `${where} has sent ${found} of ${head.objects} objects: ask again`);
  return { head, sources };
}

/** Throws MeshError `unavailable` where a line is no JSON. */
function linesOf(text: string, admin: ListenAddress): readonly [WrittenHead, ...RegistryLine[]] {
  try {
    const lines = text.trimEnd().split('\n');
    return lines.map((line) => JSON.parse(line)) as [WrittenHead, ...RegistryLine[]];
  } catch (cause) {
    throw new MeshError('unavailable', foreignText(admin, operations.getRegistry.path), { cause });
  }
}
