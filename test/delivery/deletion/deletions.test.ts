import t from 'tap';
import { silentLogger } from '../../../src/base/log.ts';
import { createDeletions } from '../../../src/delivery/deletion/deletions.ts';
import { createMetrics } from '../../../src/metrics/metrics.ts';
import type { Change, Ref } from '../../../src/model/object.ts';
import { clusterType, endpointType } from '../../../src/xds/resource-types.ts';
import { manualClock } from '../../support/manual-clock.ts';
import { cds, eds, gone, rds, story } from '../../xds/story.ts';

const ref = (name: string): Ref => ({ kind: 'WorkloadEntry', namespace: 'shop', name });

/**
 * Deletions over a real xDS server without a network: `remove` pushes a state, and deletes an instance in it.
 */
function setup() {
  const clock = manualClock();
  const released: string[] = [];
  const s = story({
    onStreamOpen: (stream) => deletions.opened(stream),
    onStreamClose: (stream) => deletions.closed(stream),
    onConfirmed: (stream, has) => deletions.confirmed(stream, has),
  });
  const deletions = createDeletions({
    clock,
    logger: silentLogger,
    metrics: createMetrics('test'),
    clusterType,
    endpointType,
    revision: () => s.hub.revision(),
    unconfirmed: (concern) => s.hub.unconfirmed(concern),
  });
  deletions.answering();
  return {
    ...s,
    clock,
    deletions,
    released,
    async put(...changes: Parameters<typeof s.apply>[0]) {
      await s.apply(changes);
    },
    async remove(name: string, ...changes: Parameters<typeof s.apply>[0]) {
      const change: Change = { type: 'delete', ref: ref(name), at: 0 };
      const release = async ({ name }: Ref) => void released.push(name);
      deletions.hold([change], s.hub.apply('k', changes, { at: 0 }), release);
      await Promise.resolve();
    },
  };
}

for (const protocol of ['sotw', 'delta'] as const) {
  /** A proxy that has the cluster `a`, and `b` if it is there. */
  async function connected(s: ReturnType<typeof setup>, id: string, ...names: string[]) {
    const proxy = s.connect(protocol, 'k', id);
    const subscribe = (type: string, list: readonly string[]) =>
      protocol === 'sotw' ? proxy.ask(type, ...list) : proxy.send(type, { resource_names_subscribe: list });
    subscribe('CDS', []);
    proxy.got();
    proxy.ack('CDS');
    subscribe('EDS', names);
    proxy.got();
    proxy.ack('EDS');
    return proxy;
  }

  t.test(`${protocol}: released by the ACK of the state without it`, async (t) => {
    const s = setup();
    await s.put(cds('a'), eds('a', 'two'));
    const [one, two] = [await connected(s, 'one', 'a'), await connected(s, 'two', 'a')];
    await s.remove('x', eds('a', 'without x'));
    t.strictSame(s.deletions.of(ref('x'))?.waitingFor(), ['one', 'two']);
    one.got();
    one.ack('EDS');
    t.strictSame(s.released, []);
    two.got();
    two.ack('EDS');
    t.strictSame(s.released, ['x']);
  });

  t.test(`${protocol}: a proxy that still waits for an earlier answer is not forgotten`, async (t) => {
    const s = setup();
    await s.put(cds('a'), eds('a'));
    const proxy = await connected(s, 'one', 'a');
    await s.put(eds('a', 'with x'));
    // The state with x is on its way when x goes: it will have been there.
    await s.remove('x', eds('a', 'without x'));
    proxy.got();
    proxy.ack('EDS');
    t.strictSame(s.released, [], 'that was the state with x');
    proxy.got();
    proxy.ack('EDS');
    t.strictSame(s.released, ['x']);
  });

  t.test(`${protocol}: what came and went before it was sent waits for nothing`, async (t) => {
    const s = setup();
    await s.put(cds('a'), eds('a', 'empty'));
    const proxy = await connected(s, 'one', 'a');
    s.hub.apply('k', [eds('a', 'with x')], { at: 0 });
    await s.remove('x', eds('a', 'empty'));
    proxy.got();
    proxy.ack('EDS');
    t.strictSame(s.released, ['x']);
  });

  t.test(
    `${protocol}: a proxy that does not have the Group, or has no endpoints, is not waited for`,
    async (t) => {
      const s = setup();
      await s.put(cds('a'), cds('b'), eds('a'), eds('b'));
      await connected(s, 'one', 'b');
      const bare = s.connect(protocol, 'k', 'bare');
      bare.send('LDS', {});
      await s.remove('x', eds('a', 'without x'));
      t.strictSame(s.released, ['x']);
    },
  );

  t.test(
    `${protocol}: a refusal of these endpoints holds the deletion, one of others does not`,
    async (t) => {
      const s = setup();
      await s.put(cds('a'), cds('b'), eds('a'), eds('b'));
      const proxy = await connected(s, 'one', 'a', 'b');
      await s.put(eds('b', 'bad'));
      proxy.got();
      proxy.nack('EDS', 'no');
      await s.remove('x', eds('a', 'without x'));
      proxy.got();
      proxy.ack('EDS');
      if (protocol === 'delta') t.strictSame(s.released, ['x'], 'b is still refused, a is in force');
      const before = s.released.length;
      await s.remove('y', eds('a', 'worse'));
      proxy.got();
      proxy.nack('EDS', 'no');
      t.equal(s.released.length, before, 'it goes on with the state that has y');
      await s.put(eds('a', 'good again'));
      proxy.got();
      proxy.ack('EDS');
      t.ok(s.released.includes('y'));
    },
  );

  t.test(`${protocol}: what a refused route keeps of another Group holds nothing up`, async (t) => {
    const s = setup();
    await s.put(cds('a'), cds('b'), eds('a'), eds('b'), rds('r'));
    const proxy = await connected(s, 'one', 'a', 'b');
    if (protocol === 'sotw') proxy.ask('RDS', 'r');
    else proxy.send('RDS', { resource_names_subscribe: ['r'] });
    proxy.got();
    proxy.ack('RDS');
    await s.put(rds('r', 'bad'));
    proxy.got();
    proxy.nack('RDS', 'no');
    await s.put(gone('CDS', 'b'), gone('EDS', 'b'));
    t.strictSame(proxy.got(), [], 'b stays while the old route may name it');
    await s.remove('x', eds('a', 'without x'));
    const barrier = s.deletions.barrier(true);
    t.strictSame(barrier.waitingFor(), ['one']);
    proxy.got();
    proxy.ack('EDS');
    t.strictSame(s.released, ['x']);
    t.strictSame(barrier.waitingFor(), []);
    await s.remove('y', eds('b', 'gone as well'));
  });

  t.test(`${protocol}: a Group that goes takes its instances along`, async (t) => {
    const s = setup();
    await s.put(cds('a'), cds('b'), eds('a'), eds('b'));
    const proxy = await connected(s, 'one', 'a', 'b');
    await s.remove('x', gone('CDS', 'a'), gone('EDS', 'a'));
    for (let turn = 0; turn < 4 && s.released.length === 0; turn += 1) {
      const got = proxy.got();
      t.strictSame(s.released, [], 'not before the cluster is gone');
      for (const type of ['CDS', 'EDS']) if (got.some((text) => text.startsWith(type))) proxy.ack(type);
    }
    t.strictSame(s.released, ['x']);
  });

  t.test(`${protocol}: a proxy that comes back is released when it is in sync`, async (t) => {
    const s = setup();
    await s.put(cds('a'), eds('a', 'two'));
    const proxy = await connected(s, 'one', 'a');
    const had = { cds: proxy.versions('CDS'), eds: proxy.versions('EDS') };
    proxy.close();
    await s.remove('x', eds('a', 'without x'));
    t.strictSame(s.deletions.of(ref('x'))?.waitingFor(), ['one']);
    const back = s.connect(protocol, 'k', 'one');
    if (protocol === 'delta') {
      back.send('CDS', { initial_resource_versions: had.cds });
      t.strictSame(s.released, [], 'its clusters say nothing of its endpoints');
      back.send('EDS', { resource_names_subscribe: ['a'], initial_resource_versions: had.eds });
    } else {
      back.ask('CDS');
      back.got();
      back.ack('CDS');
      back.ask('EDS', 'a');
    }
    t.strictSame(s.released, [], 'what it needs is only on its way');
    for (const type of back.got().map((text) => text.slice(0, 3))) back.ack(type);
    t.strictSame(s.released, ['x']);
  });
}
