import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../base/clock.ts';
import { MeshError } from '../base/error.ts';
import { contentHash } from '../base/hash.ts';
import type { Logger } from '../base/log.ts';
import { canonicalPolicy, type FilterPolicy, policyRef } from './canonical.ts';
import { CompileProcess } from './compile-process.ts';
import { policySource } from './program.ts';

/** A filter that has passed its vectors. Shared: must not be modified. */
export interface FilterArtefact {
  /** The policy in its canonical form. */
  readonly policy: FilterPolicy;
  /** The Wasm module, proxy-wasm ABI 0.2.1. */
  readonly bytes: Uint8Array;
  /** Content hash of `bytes`. */
  readonly hash: string;
  /** From the request to the end of the check, in milliseconds. */
  readonly compileMs: number;
}

export interface PolicyCompiler {
  /**
   * The filter for a policy, from the cache if present; concurrent requests for equal policies compile once.
   * Rejects with MeshError: 'invalid' for an invalid policy, 'internal' for a filter that does not compile or
   * fails its vectors, 'unavailable' when closed. Failures are not cached.
   */
  compile(policy: FilterPolicy): Promise<FilterArtefact>;
  /** Ends the compiler's process; pending compiles are rejected. */
  close(): Promise<void>;
}

interface PolicyCompilerOptions {
  readonly logger: Logger;
  readonly clock: Clock;
  /** A folder of compiled filters for the next process, which then starts at once; default: none. */
  readonly storeDir?: string;
  /** Whether a policy will be compiled soon: the compiler's process is started at once. */
  readonly isAwaited?: boolean;
}

/** What tests replace. */
interface CompilerSeams {
  /** Filters cached in memory; default 64: the four listeners of 16 policies. */
  readonly cacheEntriesMax?: number;
  /** The folder of the AssemblyScript sources; default: wasm/assembly of this package. */
  readonly sourceDir?: string;
}

/**
 * Compiles policies into filters in a separate process, and returns only filters that passed their vectors.
 */
export function createPolicyCompiler(
  options: PolicyCompilerOptions,
  seams: CompilerSeams = {},
): PolicyCompiler {
  const { logger, clock } = options;
  const cache = new LRUCache<string, FilterArtefact>({ max: seams.cacheEntriesMax ?? 64 });
  const pending = new Map<string, Promise<FilterArtefact>>();
  const compiler = new CompileProcess(clock);
  if (options.isAwaited === true) compiler.startAhead();
  let sources: Promise<ReadonlyMap<string, string>> | undefined;
  let closed = false;

  async function build(policy: FilterPolicy): Promise<FilterArtefact> {
    const start = clock.now();
    try {
      sources ??= readSources(seams.sourceDir ?? packageSourceDir());
      const all = new Map(await sources).set('policy.ts', policySource(policy));
      const { storeDir } = options;
      const file = storeDir === undefined ? {} : { file: join(storeDir, `${storeKey(all)}.wasm`) };
      const { bytes, stored } = await compiler.run({ policy, sources: all, ...file });
      const artefact = { policy, bytes, hash: contentHash(bytes), compileMs: clock.now() - start };
      const { hash, compileMs } = artefact;
      const what = stored ? 'filter loaded, compiled earlier' : 'filter compiled';
      logger.info(what, { policy: policyRef(policy), hash, bytes: bytes.length, compileMs });
      return artefact;
    } catch (reason) {
      const { code, message, ref = policyRef(policy) } = MeshError.from(reason);
      const error = new MeshError(code, message, { ref, cause: reason });
      const fields = { policy: policyRef(policy), code: error.code, reason: error.message };
      // The result is no longer wanted.
      if (closed) logger.debug('filter not compiled: closed before', fields);
      else logger.error('filter not compiled', fields);
      throw error;
    }
  }

  return {
    async compile(asked) {
      if (closed) throw new MeshError('unavailable', 'The policy compiler is closed.');
      const policy = canonicalPolicy(asked);
      const key = JSON.stringify(policy);
      const known = cache.get(key) ?? pending.get(key);
      if (known !== undefined) return known;
      const building = build(policy)
        .then((artefact) => {
          cache.set(key, artefact);
          return artefact;
        })
        .finally(() => pending.delete(key));
      pending.set(key, building);
      return building;
    },
    async close() {
      closed = true;
      await compiler.close();
    },
  };
}

const compilerVersion = (createRequire(import.meta.url)('assemblyscript/package.json') as { version: string })
  .version;

/** Identifies a filter by its inputs: sources, policy, compiler. */
function storeKey(sources: ReadonlyMap<string, string>): string {
  return contentHash(JSON.stringify([compilerVersion, [...sources].sort()]));
}

async function readSources(dir: string): Promise<ReadonlyMap<string, string>> {
  const names = (await readdir(dir)).filter((name) => name.endsWith('.ts'));
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(dir, name), 'utf8')] as const)),
  );
}

/** wasm/assembly of this file's package, whose depth differs between the source tree and dist/. */
function packageSourceDir(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  for (let dir = here; dir !== dirname(dir); dir = dirname(dir)) {
    const candidate = join(dir, 'wasm', 'assembly');
    if (existsSync(join(candidate, 'index.ts'))) return candidate;
  }
  throw new MeshError('internal', 'wasm/assembly is missing: the package is incomplete. Install it again.', {
    ref: here,
  });
}
