import { MeshError } from '../../base/error.ts';
import { yieldToEventLoop } from '../../base/yield-to-event-loop.ts';
import { type RegistryLine, registryFormat, type WrittenHead } from '../../contract/lines/registry-lines.ts';
import type { NodeConfig } from '../../plane/reading/node-config.ts';
import type { ControlPlane } from '../../plane/types.ts';

/** Objects in a line: long ones make JSON fast, short ones let pushes go on in between. */
const lineObjects = 500;

/** Characters written before others are served: some 5 ms of work. */
const sliceCharacters = 256 * 1024;

/** The largest answers, in characters: less than a client takes. */
const charactersMax = { registry: 60 * 2 ** 20, config: 32 * 2 ** 20 } as const;

/**
 * All objects in force, as lines of JSON of one moment, written in slices. Throws MeshError `exhausted` if
 * they are more than `most` characters.
 */
export async function writeRegistryLines(
  plane: Pick<ControlPlane, 'registry'>,
  most: number = charactersMax.registry,
): Promise<string> {
  // Objects are never changed in place: the lists are those of this moment.
  const { head, sources } = plane.registry();
  const objects = sources.reduce((sum, list) => sum + list.length, 0);
  const first: WrittenHead = { ...registryFormat, ...head, objects };
  function* lines(): Iterable<RegistryLine> {
    for (const [source, list] of sources.entries())
      for (let start = 0; start < list.length; start += lineObjects)
        yield { source, objects: list.slice(start, start + lineObjects) };
  }
  return writeLines(first, lines(), most, `the ${objects} objects are`);
}

/** The configuration of a node as lines of JSON. Throws as `writeRegistryLines`. */
export async function writeConfigLines(
  { head, resources }: NodeConfig,
  most: number = charactersMax.config,
): Promise<string> {
  return writeLines(head, resources, most, `the ${head.resources} resources of ${head.node} are`);
}

async function writeLines(
  head: object,
  lines: Iterable<object>,
  most: number,
  what: string,
): Promise<string> {
  const written = [`${JSON.stringify(head)}\n`];
  let [characters, since] = [0, 0];
  for (const one of lines) {
    const line = `${JSON.stringify(one)}\n`;
    written.push(line);
    characters += line.length;
    since += line.length;
    if (characters > most)
      throw new MeshError(
        'exhausted',
        `${what} more than the ${Math.floor(most / 2 ** 20)} MiB that one answer has: ask for less`,
      );
    if (since < sliceCharacters) continue;
    since = 0;
    await yieldToEventLoop();
  }
  return written.join('');
}
