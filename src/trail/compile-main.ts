import { MeshError } from '../base/error.ts';
import type { FilterPolicy } from './canonical.ts';
import { checkFilter } from './check-filter.ts';
import { readStored, writeStored } from './filter-store.ts';

/**
 * The request to the compiler's process: one filter. `sources`: texts of wasm/assembly by file name, with the
 * policy's.
 */
export interface CompileJob {
  readonly policy: FilterPolicy;
  readonly sources: ReadonlyMap<string, string>;
  /** Where the filter is stored, or may be already; absent: not stored. */
  readonly file?: string;
}

/** The answer: a filter that passed its vectors, or an error. */
export type CompileResult =
  | { readonly bytes: Uint8Array; readonly stored: boolean }
  | { readonly fault: Pick<MeshError, 'code' | 'message' | 'ref'> };

/** Compiles, then checks; checked here too, so that a filter that never returns blocks this process only. */
async function run({ policy, sources, file }: CompileJob): Promise<CompileResult> {
  try {
    const known = file === undefined ? undefined : await readStored(file);
    if (known !== undefined && (await passes(policy, known))) return { bytes: known, stored: true };
    // Loaded on demand: the compiler takes half a second, and a stored filter needs none.
    const { assemble } = await import('./assemble.ts');
    const bytes = await assemble(sources);
    await checkFilter(policy, bytes);
    // If the folder cannot be written, the next start compiles again.
    if (file !== undefined) await writeStored(file, bytes).catch(() => {});
    return { bytes, stored: false };
  } catch (reason) {
    const { code, message, ref } = MeshError.from(reason);
    return { fault: { code, message, ref } };
  }
}

/** A file may be damaged or foreign: if it fails its vectors the filter is compiled again. */
async function passes(policy: FilterPolicy, bytes: Uint8Array): Promise<boolean> {
  try {
    await checkFilter(policy, bytes);
    return true;
  } catch {
    return false;
  }
}

process.on('message', async (job: CompileJob) => process.send?.(await run(job)));
// The parent has ended, or disconnected.
process.on('disconnect', () => process.exit());
// A terminal sends it to the whole foreground group; the control plane ends this process.
process.on('SIGINT', () => {});
