import { isDeepStrictEqual } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import t from 'tap';
import { guardedListeners, readsTrail, type TrailPolicy } from '../../src/model/trail.ts';
import { expectedAnswer, requestHeaders } from '../../src/trail/check-filter.ts';
import { FilterHost } from '../../src/trail/wasm-host.ts';
import { compiledFilters } from '../support/wasm-host.ts';

// SEED replays a run; `make fuzz` makes a million of them.
const seed = Number(process.env.SEED ?? process.hrtime.bigint() & 0x7fffffffn);
const numRuns = Number(process.env.FUZZ_RUNS ?? 100_000);
const rounds = 10;
const settledAfter = 2;

const small = { idc: 'sh-b', peers: ['sh-a', 'bj-a', 's'], hopLimit: 2, enforce: true };
const large = {
  idc: 'idc-31',
  peers: Array.from({ length: 63 }, (_, index) => `idc-${index < 31 ? index : index + 1}`),
  hopLimit: 4,
  enforce: true,
};
const policies: readonly TrailPolicy[] = [
  ...guardedListeners.map((listener) => ({ ...small, listener })),
  { ...large, listener: 'ingress-peer' },
  { ...large, listener: 'egress-ingress' },
  { idc: 'a', peers: [], hopLimit: 0, listener: 'ingress-peer', enforce: true },
  { ...small, listener: 'ingress-peer', enforce: false },
  { ...large, listener: 'ingress-peer', enforce: false },
  { ...small, listener: 'egress-ingress', enforce: false },
];

/**
 * Trails as they might come: mostly names that mean something, now and then a byte that does not belong
 * there.
 */
function trails(policy: TrailPolicy): fc.Arbitrary<readonly string[]> {
  const anyBytes = (maxLength: number) =>
    fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes).toString('latin1'));
  const nameBytes = fc.string({ unit: fc.constantFrom(...'abz059-'), minLength: 1, maxLength: 34 });
  const name = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(policy.idc, ...policy.peers) },
    { weight: 2, arbitrary: nameBytes },
    { weight: 1, arbitrary: anyBytes(6) },
  );
  const names = fc.oneof(
    fc.array(name, { maxLength: 7 }),
    fc.array(fc.constantFrom(...policy.peers, 'far'), { maxLength: 3 }),
  );
  const end = policy.listener === 'egress-ingress' ? fc.constantFrom([policy.idc], []) : fc.constant([]);
  const list = fc.tuple(names, end).map(([names, end]) => [...names, ...end].join(','));
  const long = fc.tuple(name, fc.nat(400), list).map(([one, times, rest]) => `${one},`.repeat(times) + rest);
  const line = fc.oneof(
    { weight: 12, arbitrary: list },
    { weight: 1, arbitrary: long },
    { weight: 1, arbitrary: anyBytes(600) },
  );
  return fc.oneof(
    { weight: 5, arbitrary: fc.array(line, { minLength: 1, maxLength: 1 }) },
    fc.array(line, { maxLength: 4 }),
  );
}

/** One filter under fuzz. */
interface Lane {
  readonly name: string;
  readonly policy: TrailPolicy;
  readonly host: FilterHost;
  readonly memoryBytes: number;
  passed: number;
}

// Without it what is garbage would count as growth.
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** What this process holds, in MiB, without garbage. */
function heldMiB(): { readonly heap: number; readonly rss: number } {
  collectGarbage();
  const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage();
  return { heap: (heapUsed + external + arrayBuffers) / 2 ** 20, rss: rss / 2 ** 20 };
}

/** The first difference between module and model in so many random trails. */
function differenceIn(lane: Lane, seed: number, runs: number): unknown {
  const property = fc.property(trails(lane.policy), (lines) => {
    const headers = requestHeaders(lines);
    const answer = lane.host.request(headers);
    if (answer.passed) lane.passed++;
    return isDeepStrictEqual(answer, expectedAnswer(lane.policy, headers));
  });
  const { failed, counterexample } = fc.check(property, { seed, numRuns: runs });
  return failed ? counterexample : undefined;
}

t.test(`${numRuns} random trails, compiled and model, SEED=${seed}`, { timeout: 3_600_000 }, async (t) => {
  const filters = await compiledFilters(policies);
  const lanes: Lane[] = [];
  for (const [index, policy] of policies.entries()) {
    const host = await FilterHost.load(filters[index] as Uint8Array);
    const name = `${policy.listener} of ${policy.idc}${policy.enforce ? '' : ', off'}`;
    lanes.push({ name, policy, host, memoryBytes: host.memoryBytes, passed: 0 });
  }
  const runs = Math.ceil(numRuns / policies.length / rounds);
  const held: ReturnType<typeof heldMiB>[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const [index, lane] of lanes.entries()) {
      const roundSeed = seed + round * lanes.length + index;
      const difference = differenceIn(lane, roundSeed, runs);
      if (difference !== undefined) t.fail(`${lane.name}, seed ${roundSeed}: ${JSON.stringify(difference)}`);
    }
    held.push(heldMiB());
  }
  for (const { name, policy, host, memoryBytes, passed } of lanes) {
    t.equal(host.memoryBytes, memoryBytes, `${name}: the module's memory is flat at ${memoryBytes} bytes`);
    const all = runs * rounds;
    t.comment(`${name}: ${passed} of ${all} passed`);
    // Or the generator would say little: both ways must have been gone often, but where the policy closes one
    // of them.
    if (!readsTrail(policy.listener) || !policy.enforce) t.equal(passed, all);
    else if (policy.hopLimit === 0) t.equal(passed, 0);
    else t.ok(passed > all / 50 && passed < all, name);
  }
  // The first rounds compile and warm up.
  const grown = (of: 'heap' | 'rss') => (held.at(-1)?.[of] ?? 0) - (held[settledAfter]?.[of] ?? 0);
  const shown = held.map(({ heap, rss }) => `${heap.toFixed(1)}/${rss.toFixed(0)}`).join(' ');
  t.comment(`heap/RSS in MiB after each tenth: ${shown}`);
  t.ok(grown('heap') <= 8, `the heap has not grown: ${grown('heap').toFixed(1)} MiB`);
  t.ok(grown('rss') <= 64, `nor has the process: ${grown('rss').toFixed(1)} MiB`);
});
