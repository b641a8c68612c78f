import t from 'tap';
import { systemClock as clock } from '../../../src/base/clock.ts';
import { keepLastGood } from '../../../src/registry/lastgood/last-good-source.ts';
import { noFacets, type Sink, type Source } from '../../../src/registry/source.ts';
import { serviceEntry } from '../../index/fixture.ts';

t.test(
  'what a source asks before it is live is asked after all that it had told was passed on',
  async (t) => {
    let inner: Sink | undefined;
    const object = serviceEntry('shop/a', ['a.example']);
    const source: Source = {
      name: 'asking',
      async start(sink) {
        inner = sink;
        sink.changes([{ type: 'upsert', object, at: 0 }]);
        sink.confirmed?.(() => told.push('first confirmed'));
        sink.changes([{ type: 'synced', source: 'asking', at: 0 }]);
      },
      objects: () => [object],
      repair() {},
      facets: noFacets,
    };
    const told: string[] = [];
    const stop = new AbortController();
    t.teardown(() => stop.abort());
    const outer = keepLastGood({ open: () => source, idc: 'sh-a', clock });
    await outer.start(
      {
        changes: (batch) => void told.push(...batch.map(({ type }) => type)),
        problems() {},
        confirmed(then) {
          told.push('asked');
          then();
        },
      },
      stop.signal,
    );
    t.strictSame(told, ['upsert', 'synced', 'asked', 'first confirmed']);
    inner?.confirmed?.(() => told.push('second confirmed'));
    t.strictSame(told.slice(4), ['asked', 'second confirmed'], 'once it is live, at once');
  },
);
