/** A source of random numbers in [0, 1): injected, so that a seed replays a run. */
export type Random = () => number;

/** The machine's own chance: not for secrets. */
export const systemRandom: Random = Math.random;

/** A small seeded generator (mulberry32): deterministic, not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
