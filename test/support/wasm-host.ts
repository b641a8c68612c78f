import { systemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import type { FilterPolicy } from '../../src/trail/canonical.ts';
import { createPolicyCompiler } from '../../src/trail/compile.ts';
import { FilterHost, type HeaderLine } from '../../src/trail/wasm-host.ts';

/** Compiles a policy's filter, as the control plane does, and starts it in Node's own WebAssembly. */
export async function hostedFilter(policy: FilterPolicy): Promise<FilterHost> {
  const [bytes] = await compiledFilters([policy]);
  return FilterHost.load(bytes as Uint8Array);
}

/** Compiles filters, in one process. */
export async function compiledFilters(policies: readonly FilterPolicy[]): Promise<readonly Uint8Array[]> {
  const compiler = createPolicyCompiler({ logger: silentLogger, clock: systemClock });
  try {
    const artefacts = await Promise.all(policies.map((policy) => compiler.compile(policy)));
    return artefacts.map(({ bytes }) => bytes);
  } finally {
    await compiler.close();
  }
}

/** The values of a header's lines. */
export function linesOf(headers: readonly HeaderLine[], name: string): readonly string[] {
  return headers.filter((line) => line[0] === name).map((line) => line[1]);
}
