import { parentPort } from 'node:worker_threads';
import { MeshError } from '../base/error.ts';
import { assemble } from './assemble.ts';
import { checkFilter } from './check.ts';
import type { FilterPolicy } from './policy.ts';
import { policySource } from './source.ts';

/** What the worker thread is asked: one filter. `sources` are the texts of wasm/assembly by file name. */
export interface CompileJob {
  readonly policy: FilterPolicy;
  readonly sources: ReadonlyMap<string, string>;
}

/** What it answers: a filter that passed its vectors, or why there is none. */
export type CompileResult =
  | { readonly bytes: Uint8Array }
  | { readonly fault: Pick<MeshError, 'code' | 'message' | 'ref'> };

/** Compiles, then checks; the check is here too, so that a filter that never returns blocks nobody but this thread. */
async function run({ policy, sources }: CompileJob): Promise<CompileResult> {
  try {
    const bytes = await assemble(new Map(sources).set('policy.ts', policySource(policy)));
    await checkFilter(policy, bytes);
    return { bytes };
  } catch (reason) {
    const { code, message, ref } = MeshError.from(reason);
    return { fault: { code, message, ref } };
  }
}

parentPort?.on('message', async (job: CompileJob) => parentPort?.postMessage(await run(job)));
