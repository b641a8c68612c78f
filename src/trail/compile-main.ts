import { MeshError } from '../base/error.ts';
import type { FilterPolicy } from './canonical.ts';
import { checkFilter } from './check-filter.ts';
import { readStored, writeStored } from './filter-store.ts';

/**
 * What the compiler's process is asked: one filter. `sources` are the texts of wasm/assembly by file name,
 * with the policy's.
 */
export interface CompileJob {
  readonly policy: FilterPolicy;
  readonly sources: ReadonlyMap<string, string>;
  /** Where the filter is kept, and may be already; absent: nowhere. */
  readonly file?: string;
}

/** What it answers: a filter that passed its vectors, or why there is none. */
export type CompileResult =
  | { readonly bytes: Uint8Array; readonly stored: boolean }
  | { readonly fault: Pick<MeshError, 'code' | 'message' | 'ref'> };

/**
 * Compiles, then checks; the check is here too, so that a filter that never returns blocks nobody but this
 * process.
 */
async function run({ policy, sources, file }: CompileJob): Promise<CompileResult> {
  try {
    const known = file === undefined ? undefined : await readStored(file);
    if (known !== undefined && (await passes(policy, known))) return { bytes: known, stored: true };
    // Loaded only now: the compiler takes half a second, and what is stored needs none.
    const { assemble } = await import('./assemble.ts');
    const bytes = await assemble(sources);
    await checkFilter(policy, bytes);
    // A folder that cannot be written costs the next start a compile, nothing more.
    if (file !== undefined) await writeStored(file, bytes).catch(() => {});
    return { bytes, stored: false };
  } catch (reason) {
    const { code, message, ref } = MeshError.from(reason);
    return { fault: { code, message, ref } };
  }
}

/** A file may be damaged, or somebody else's: what fails its vectors is compiled again. */
async function passes(policy: FilterPolicy, bytes: Uint8Array): Promise<boolean> {
  try {
    await checkFilter(policy, bytes);
    return true;
  } catch {
    return false;
  }
}

process.on('message', async (job: CompileJob) => process.send?.(await run(job)));
// Whoever asked is gone, or wants no more.
process.on('disconnect', () => process.exit());
// From a terminal it goes to all in the foreground; when this one ends, the control plane says.
process.on('SIGINT', () => {});
