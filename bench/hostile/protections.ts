import type { Replacement } from '../../test/support/planes/served.ts';

/** A protection of the xDS port that can be taken away, and attacks that show that it is gone. */
export interface Protection {
  readonly off: readonly Replacement[];
  readonly attacks: readonly string[];
}

const many = '1e9';
const admission = (from: string, to: string): Replacement => ({
  file: 'xds/admission/admission-limits.ts',
  from,
  to,
});

/** By name: a run without one of them must miss a bound. */
export const protections: Readonly<Record<string, Protection>> = {
  // Each connection, and all of them, are read as fast as they write.
  pace: {
    off: [
      { file: 'xds/admission/pace-limits.ts', from: 'burstMs: 2_000, share', to: `burstMs: ${many}, share` },
      { file: 'xds/admission/pace-limits.ts', from: 'allBurstMs: 500', to: `allBurstMs: ${many}` },
      { file: 'xds/admission/pace-limits.ts', from: 'loopMs: 5 }', to: `loopMs: ${many} }` },
      { file: 'xds/admission/pace-limits.ts', from: 'sliceMs: 2,', to: `sliceMs: ${many},` },
    ],
    attacks: ['gzip bombs', '100,000 names, and names after that'],
  },
  // What is unfinished is kept, however much it is.
  intake: {
    off: [
      {
        file: 'xds/transport/intake.ts',
        from: 'connectionBytesMax: 64 * 2 ** 20',
        to: `connectionBytesMax: ${many}`,
      },
      { file: 'xds/transport/intake.ts', from: 'allBytesMax: 256 * 2 ** 20', to: `allBytesMax: ${many}` },
    ],
    attacks: ['unfinished messages of 32 MiB on 12 calls that are known'],
  },
  // A connection opens streams, and sends what is no message, as it likes.
  flood: {
    off: [
      admission('openingBurst: 200', `openingBurst: ${many}`),
      admission('overheadPerSecond: 2 ** 20', `overheadPerSecond: ${many}`),
      admission('pieceBurst: 512', `pieceBurst: ${many}`),
    ],
    attacks: ['2,000 calls one after another', 'messages in DATA frames of one byte'],
  },
  // An answer that is not read is kept as long as its connection.
  reading: {
    off: [{ file: 'xds/transport/read-deadline.ts', from: '(256 * 2 ** 10) / 1_000', to: `1 / ${many}` }],
    attacks: ['client status of all that is never read'],
  },
  // Messages stand in each other as deep as the stack lets them.
  depth: {
    off: [{ file: 'xds/codec/wellknown.ts', from: 'depthMax = 100', to: `depthMax = ${many}` }],
    attacks: ['metadata 5,000 levels deep'],
  },
};
