import fc from 'fast-check';
import t from 'tap';
import { packAny, protoDuration } from '../../src/translate/message-parts.ts';
import { encodeResource } from '../../src/xds/codec/codec.ts';

t.test('durations are as proto3 JSON writes them', async (t) => {
  t.equal(protoDuration(0), '0s');
  t.equal(protoDuration(100_000), '100s');
  t.equal(protoDuration(112 * 0.8), '0.0896s');
  t.equal(protoDuration(0.0001), '0.0000001s');
});

t.test('every duration that a registry may hold can be encoded', async () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 10 * 365 * 86_400_000, noNaN: true }), (ms) => {
      const cluster = { name: 'c', connect_timeout: protoDuration(ms) };
      encodeResource(packAny('envoy.config.cluster.v3.Cluster', cluster));
    }),
  );
});
