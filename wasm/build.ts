// `make wasm`: writes dist/wasm/LISTENER.wasm for the example policy, and assembly/policy.ts as editors see it.
import { mkdir, writeFile } from 'node:fs/promises';
import { systemClock } from '../src/base/clock.ts';
import { silentLogger } from '../src/base/log.ts';
import { guardedListeners } from '../src/model/trail.ts';
import { canonicalPolicy } from '../src/trail/canonical.ts';
import { createPolicyCompiler } from '../src/trail/compile.ts';
import { policySource } from '../src/trail/program.ts';

const example = canonicalPolicy({
  idc: 'sh-b',
  peers: ['sh-a'],
  hopLimit: 1,
  listener: 'ingress-peer',
  enforce: true,
});
const out = new URL('../dist/wasm/', import.meta.url);

await mkdir(out, { recursive: true });
await writeFile(new URL('./assembly/policy.ts', import.meta.url), policySource(example));
const compiler = createPolicyCompiler({ logger: silentLogger, clock: systemClock });
for (const listener of guardedListeners) {
  const { bytes, hash, compileMs } = await compiler.compile({ ...example, listener });
  await writeFile(new URL(`${listener}.wasm`, out), bytes);
  console.log(`${listener}.wasm  ${hash}  ${bytes.length} bytes  ${Math.round(compileMs)} ms`);
}
await compiler.close();
