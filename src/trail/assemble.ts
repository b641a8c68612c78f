import asc from 'assemblyscript/asc';
import { MeshError } from '../base/error.ts';

/**
 * Flags: no runtime and a fixed memory of one page, because the filter's memory is static; no assertions and
 * no `abort` import, because Envoy has none; `_initialize`, because Envoy starts a library by it.
 */
const flags = [
  'index.ts',
  '--outFile', 'filter.wasm',
  '--runtime', 'stub',
  '--noAssert',
  '--use', 'abort=',
  '-O3',
  '--converge',
  '--exportStart', '_initialize',
  '--initialMemory', '1',
  '--maximumMemory', '1',
  '--noColors',
] as const; // biome-ignore format: flags with their values

/**
 * Compiles AssemblyScript, with `index.ts` as the entry, in memory. Blocks for a second or so: only in a
 * worker. Deterministic. Throws MeshError 'internal' with the compiler's message.
 */
export async function assemble(sources: ReadonlyMap<string, string>): Promise<Uint8Array> {
  let bytes: Uint8Array | undefined;
  let words = '';
  const { error } = await asc.main([...flags], {
    stdout: { write: () => {} },
    stderr: {
      write(chunk: string | Uint8Array) {
        words += chunk.toString();
      },
    },
    readFile: (name) => sources.get(name.replaceAll('\\', '/').replace(/^\.\//, '')) ?? null,
    writeFile: (name, contents) => {
      if (name === 'filter.wasm') bytes = contents as Uint8Array;
    },
    listFiles: () => [],
  });
  if (error !== null || bytes === undefined) {
    throw new MeshError('internal', `The filter does not compile: ${words.trim() || String(error)}`, {
      cause: error,
    });
  }
  return bytes;
}
