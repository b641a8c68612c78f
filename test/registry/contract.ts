import t, { type Test } from 'tap';
import type { Source } from '../../src/registry/source.ts';
import { type RawObject, service, workload } from './objects.ts';
import { Recorder } from './recorder.ts';

/** Where a source reads from, as the contract changes it. */
export interface SourceWorld {
  /** A new source of what is in the world. */
  createSource(): Source;
  /** Only WorkloadEntries can be in it, not every kind. */
  readonly workloadsOnly?: boolean;
  /** Malformed objects are refused where they are put, and never come to the source. */
  readonly refusesMalformed?: boolean;
  /** Adds an object, or replaces the one of its kind, namespace and name. May be malformed in its spec. */
  put(object: RawObject): Promise<void>;
  /** Removes an object. */
  remove(object: RawObject): Promise<void>;
  /** Takes the world down. */
  close(): Promise<void>;
}

const malformed = workload('w-1', { ports: { http: 70_000 } });

/** The key of an object in the recorder's log. */
function key({ kind, metadata }: RawObject): string {
  return `${kind}/${metadata.namespace ?? ''}/${metadata.name}`;
}

/** Whether an object can be in a world. */
function takes(world: SourceWorld, { kind }: RawObject): boolean {
  return kind === 'WorkloadEntry' || !world.workloadsOnly;
}

/**
 * What any Source must do, whatever it reads: run it for a new source, with a world that is empty. It waits
 * for what the source tells, never for time.
 */
export function sourceContract(name: string, openWorld: () => Promise<SourceWorld>): void {
  /** One story, in a world of its own, in which `initial` is there before the source starts. */
  function story(
    title: string,
    initial: readonly RawObject[],
    tell: (t: Test, world: SourceWorld, seen: Recorder, stop: AbortController) => Promise<void>,
  ): void {
    t.test(`${name}: ${title}`, async (t) => {
      const world = await openWorld();
      const stop = new AbortController();
      t.teardown(async () => {
        stop.abort();
        await world.close();
      });
      for (const object of initial) if (takes(world, object)) await world.put(object);
      const seen = new Recorder();
      await world.createSource().start(seen, stop.signal);
      await tell(t, world, seen, stop);
    });
  }

  story(
    'all there is comes first, then synced, once',
    [workload('w-1'), workload('w-2'), service('s', 'a.example')],
    async (t, world, seen) => {
      const log = seen.log();
      t.equal(log.at(-1), 'synced', 'start resolves after synced');
      t.strictSame(log.slice(0, -1).sort(), [
        ...(world.workloadsOnly ? [] : ['+ServiceEntry/shop/s']),
        '+WorkloadEntry/shop/w-1',
        '+WorkloadEntry/shop/w-2',
      ]);
      t.strictSame(seen.errors(), []);
      await world.put(workload('w-3'));
      await seen.until('the new object', () => seen.count('+WorkloadEntry/shop/w-3') === 1);
      t.equal(seen.count('synced'), 1);
    },
  );

  story('an empty world is synced too', [], async (t, _world, seen) => {
    t.strictSame(seen.log(), ['synced']);
  });

  story(
    'an update comes with its new content, and time does not run back',
    [workload('w-1')],
    async (t, world, seen) => {
      for (const weight of [2, 3, 4]) {
        await world.put(workload('w-1', { weight }));
        await seen.until(`weight ${weight}`, () => {
          const object = seen.state().get('WorkloadEntry/shop/w-1');
          return object?.kind === 'WorkloadEntry' && object.spec.weight === weight;
        });
      }
      const times = seen.all.map(({ at }) => at);
      t.strictSame(
        times,
        times.toSorted((a, b) => a - b),
      );
    },
  );

  story(
    'a deletion comes once, by name',
    [workload('w-1'), workload('w-2'), workload('w-3')],
    async (t, world, seen) => {
      await world.remove(workload('w-2'));
      await seen.until('the deletion', () => seen.count('-WorkloadEntry/shop/w-2') > 0);
      await world.put(workload('w-1', { weight: 9 }));
      await seen.until('the next change', () => seen.count('+WorkloadEntry/shop/w-1') === 2);
      t.equal(seen.count('-WorkloadEntry/shop/w-2'), 1);
      t.strictSame([...seen.state().keys()].sort(), ['WorkloadEntry/shop/w-1', 'WorkloadEntry/shop/w-3']);
    },
  );

  story('a deleted object may come back', [workload('w-1'), workload('w-2')], async (t, world, seen) => {
    await world.remove(workload('w-2'));
    await seen.until('the deletion', () => seen.count('-WorkloadEntry/shop/w-2') === 1);
    await world.put(workload('w-2'));
    await seen.until('its return', () => seen.count('+WorkloadEntry/shop/w-2') === 2);
    t.strictSame(seen.log().slice(-2), ['-WorkloadEntry/shop/w-2', '+WorkloadEntry/shop/w-2']);
  });

  story(
    'what did not change does not come again',
    [workload('w-1'), workload('w-2')],
    async (t, world, seen) => {
      await world.put(workload('w-1'));
      await world.put(workload('w-2', { weight: 5 }));
      await seen.until('the change', () => seen.count('+WorkloadEntry/shop/w-2') === 2);
      t.equal(seen.count('+WorkloadEntry/shop/w-1'), 1);
    },
  );

  story(
    'a malformed object keeps its last good version, is told with its place, and disturbs nobody',
    [workload('w-1'), workload('w-2')],
    async (t, world, seen) => {
      if (world.refusesMalformed) {
        await t.rejects(world.put(malformed), { message: /ports\.http.*65535.*70000/ });
        await world.put(workload('w-2', { weight: 7 }));
        await seen.until('the other object', () => seen.count('+WorkloadEntry/shop/w-2') === 2);
        t.strictSame(seen.log().slice(-1), ['+WorkloadEntry/shop/w-2']);
        return;
      }
      await world.put(malformed);
      await seen.until('the problem', () => seen.errors().length > 0);
      const [problem] = seen.errors();
      t.equal(seen.errors().length, 1);
      t.equal(problem?.path, 'spec.ports.http');
      t.match(problem?.message, /65535.*70000/);
      t.not(problem?.where, '');
      await world.put(workload('w-2', { weight: 7 }));
      await seen.until('the other object', () => seen.count('+WorkloadEntry/shop/w-2') === 2);
      t.equal(seen.count(`+${key(malformed)}`), 1);
      t.equal(seen.count(`-${key(malformed)}`), 0);
    },
  );

  story('a corrected object comes, and its problem goes', [workload('w-1')], async (t, world, seen) => {
    if (world.refusesMalformed) await t.rejects(world.put(malformed));
    else {
      await world.put(malformed);
      await seen.until('the problem', () => seen.errors().length > 0);
    }
    await world.put(workload('w-1', { ports: { http: 7000 } }));
    await seen.until(
      'the correction',
      () => seen.count(`+${key(malformed)}`) === 2 && seen.errors().length === 0,
    );
    const object = seen.state().get(key(malformed));
    t.ok(object?.kind === 'WorkloadEntry' && object.spec.ports.http === 7000);
  });

  story(
    'an object that was never good is only told of',
    [malformed, workload('w-2')],
    async (t, _world, seen) => {
      t.strictSame(seen.log(), ['+WorkloadEntry/shop/w-2', 'synced']);
      t.equal(seen.errors().length, 1);
    },
  );

  story(
    'a new source of the same world gives the same state',
    [workload('w-1'), service('s', 'a.example')],
    async (t, world, seen, stop) => {
      await world.put(workload('w-1', { weight: 3 }));
      await seen.until('the change', () => seen.count('+WorkloadEntry/shop/w-1') === 2);
      const again = new Recorder();
      await world.createSource().start(again, stop.signal);
      const plain = (recorder: Recorder) =>
        [...recorder.state()]
          .map(
            ([
              key,
              {
                meta: { origin: _, ...meta },
                spec,
              },
            ]) => ({ key, meta, spec }),
          )
          .sort((a, b) => (a.key < b.key ? -1 : 1));
      t.strictSame(plain(again), plain(seen));
    },
  );

  story('after an abort nothing comes any more', [workload('w-1')], async (t, world, seen, stop) => {
    stop.abort();
    const told = seen.log().length;
    await world.put(workload('w-2'));
    // Another source that sees the change proves that it was there to be seen.
    const others = new AbortController();
    const other = new Recorder();
    await world.createSource().start(other, others.signal);
    await world.put(workload('w-3'));
    await other.until('the change', () => other.count('+WorkloadEntry/shop/w-3') === 1);
    others.abort();
    t.equal(seen.log().length, told);
  });

  story(
    'what differs from what it holds is emitted when it is repaired',
    [workload('w-1')],
    async (t, world) => {
      const source = world.createSource();
      const seen = new Recorder();
      const stop = new AbortController();
      t.teardown(() => stop.abort());
      await source.start(seen, stop.signal);
      const [object] = [...source.objects()];
      if (object === undefined) throw new Error('it holds nothing');
      t.equal(object.meta.name, 'w-1');
      source.repair([{ type: 'upsert', object, at: 0 }]);
      await seen.until('it once more', () => seen.count('+WorkloadEntry/shop/w-1') === 2);
    },
  );

  story('an object that nobody waits for may be released', [workload('w-1')], async (t, world) => {
    const source = world.createSource();
    t.equal(typeof source.name, 'string');
    const { finalizers } = source.facets;
    const ref = { kind: 'WorkloadEntry', namespace: 'shop', name: 'w-1' } as const;
    if (finalizers !== 'none') await t.resolves(finalizers.release(ref));
  });
}
