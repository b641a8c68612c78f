import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { guardedListeners, type TrailPolicy } from '../../src/model/trail.ts';
import { expectedAnswer, requestHeaders } from '../../src/policy/check.ts';
import { FilterHost } from '../../src/policy/host.ts';
import { compiledFilters } from '../support/wasm-host.ts';

// SEED replays a run; FUZZ_RUNS=1000000 is what a release is checked with.
const seed = Number(process.env.SEED ?? process.hrtime.bigint() & 0x7fffffffn);
const numRuns = Number(process.env.FUZZ_RUNS ?? 20_000);

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

/** Trails as they might come: mostly names that mean something, now and then a byte that does not belong there. */
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

t.test(`${numRuns} random trails, compiled and model, SEED=${seed}`, { timeout: 3_600_000 }, async (t) => {
  const filters = await compiledFilters(policies);
  const runs = Math.ceil(numRuns / policies.length);
  for (const [index, policy] of policies.entries()) {
    const host = await FilterHost.load(filters[index] as Uint8Array);
    const memoryBytes = host.memoryBytes;
    let passed = 0;
    const property = fc.property(trails(policy), (lines) => {
      const headers = requestHeaders(lines);
      const answer = host.request(headers);
      if (answer.passed) passed++;
      return isDeepStrictEqual(answer, expectedAnswer(policy, headers));
    });
    const name = `${policy.listener} of ${policy.idc}${policy.enforce ? '' : ', off'}`;
    const result = fc.check(property, { seed: seed + index, numRuns: runs });
    t.notOk(result.failed, `${name}: SEED=${seed} ${JSON.stringify(result.counterexample)}`);
    t.equal(host.memoryBytes, memoryBytes, `${name}: memory is flat at ${memoryBytes} bytes`);
    t.comment(`${name}: ${passed} of ${runs} passed`);
    // Or the generator would say little: both ways must have been gone often, but where the policy closes one of them.
    const begins = policy.listener === 'ingress-edge' || policy.listener === 'egress-sidecar';
    if (begins || !policy.enforce) t.equal(passed, runs);
    else if (policy.hopLimit === 0) t.equal(passed, 0);
    else t.ok(passed > runs / 50 && passed < runs, name);
  }
});
