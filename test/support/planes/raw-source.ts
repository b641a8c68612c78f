import { type Clock, systemClock } from '../../../src/base/clock.ts';
import { type Change, type MeshObject, refKey, refOf } from '../../../src/model/object.ts';
import { parseObject } from '../../../src/registry/parse/object.ts';
import { noFacets, type Sink, type Source } from '../../../src/registry/source.ts';

/** A source whose objects a test holds in its hand. */
export interface RawSource extends Source {
  /** Changes or adds objects, as YAML would give them; tells the sink when it has started. */
  put(...raw: readonly object[]): void;
  /** Removes objects, in one batch. */
  removeAll(gone: readonly MeshObject[]): void;
  /** Changes objects and tells nobody: an event that is lost. */
  putUnseen(...raw: readonly object[]): void;
  removeUnseen(gone: readonly MeshObject[]): void;
  /** Objects by key, as the source has them. */
  readonly stored: ReadonlyMap<string, MeshObject>;
  objects(): Iterable<MeshObject>;
}

/**
 * Creates it. `start` tells the first half of the objects, waits for `gate`, tells the rest, one at a time,
 * and is synced then: what a slow registry looks like.
 */
export function createRawSource(
  raw: readonly object[],
  gate: Promise<void> = Promise.resolve(),
  clock: Clock = systemClock,
): RawSource {
  const objects = new Map<string, MeshObject>();
  let sink: Sink | undefined;
  const take = (one: object): MeshObject => {
    const { object, faults } = parseObject(one, 'test');
    if (object === undefined) throw new Error(JSON.stringify(faults));
    objects.set(refKey(refOf(object)), object);
    return object;
  };
  const upsert = (object: MeshObject): Change => ({ type: 'upsert', object, at: clock.now() });
  for (const one of raw) take(one);
  return {
    name: 'raw',
    stored: objects,
    objects: () => objects.values(),

    putUnseen(...more) {
      for (const one of more) take(one);
    },
    removeUnseen(gone) {
      for (const object of gone) objects.delete(refKey(refOf(object)));
    },
    put(...more) {
      const changes = more.map((one) => upsert(take(one)));
      sink?.changes(changes);
    },
    removeAll(gone) {
      for (const object of gone) objects.delete(refKey(refOf(object)));
      sink?.changes(gone.map((object) => ({ type: 'delete', ref: refOf(object), at: clock.now() })));
    },
    async start(to, signal) {
      const all = [...objects.values()];
      const half = Math.ceil(all.length / 2);
      to.changes(all.slice(0, half).map(upsert));
      await gate;
      for (const object of all.slice(half)) {
        await new Promise((resolve) => setImmediate(resolve));
        if (signal.aborted) return;
        to.changes([upsert(object)]);
      }
      to.changes([{ type: 'synced', source: 'raw', at: clock.now() }]);
      sink = to;
    },
    repair: (batch) => sink?.changes(batch),
    facets: noFacets,
  };
}
