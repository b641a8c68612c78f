import t from 'tap';
import { lintInstances, noKnownInstances } from '../../src/agreement/entries/lint-instances.ts';
import { seededRandom } from '../../src/base/random.ts';
import type { WorkloadEntry } from '../../src/model/service.ts';
import { serviceEntry, workloadEntry } from '../index/fixture.ts';

const service = (name: string, app: string) =>
  serviceEntry(`shop/${name}`, [`${name}.example`], { workloadSelector: { app } });
const instance = (i: number, app: string, locality: string) =>
  workloadEntry(`shop/w-${i}`, { app }, { address: `10.0.0.${i}`, locality });

/** The same object, which counts how often its spec is read. */
function counted(object: WorkloadEntry): { readonly object: WorkloadEntry; reads(): number } {
  let reads = 0;
  const proxy = new Proxy(object, {
    get(target, key, receiver) {
      if (key === 'spec') reads += 1;
      return Reflect.get(target, key, receiver);
    },
  });
  return { object: proxy, reads: () => reads };
}

t.test('what is known of instances gives what a first look gives, whatever changes', async (t) => {
  const random = seededRandom(7);
  const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T;
  const known = noKnownInstances();
  let [entries, idcs] = [[service('a', 'a'), service('b', 'b')], new Set(['sh-a', 'sh-b'])];
  const workloads = Array.from({ length: 30 }, (_, i) => instance(i, 'a', 'sh-a/zone-1'));
  let found = 0;
  for (let step = 0; step < 300; step += 1) {
    const chance = random();
    if (chance < 0.1) entries = pick([[service('a', 'a')], [service('b', 'b')], [...entries], entries]);
    else if (chance < 0.2)
      idcs = pick([new Set(['sh-a']), new Set(['sh-a', 'sh-b']), new Set(['sh-b', 'sh-c'])]);
    else {
      const i = Math.floor(random() * workloads.length);
      workloads[i] = instance(i, pick(['a', 'b', 'c']), pick(['sh-a/zone-1', 'sh-b', 'sh-d', '']));
    }
    const lints = lintInstances(entries, workloads, idcs, known);
    found += lints.length;
    if (JSON.stringify(lints) !== JSON.stringify(lintInstances(entries, workloads, idcs)))
      return t.fail(`step ${step} differs`);
  }
  t.ok(found > 300, `${found} found in all`);
});

t.test('only an instance that is new is looked at, unless what is around it has changed', async (t) => {
  const known = noKnownInstances();
  const [entries, idcs] = [[service('a', 'a')], new Set(['sh-a'])];
  const old = Array.from({ length: 100 }, (_, i) => counted(instance(i, i === 7 ? 'none' : 'a', 'sh-a')));
  const workloads = old.map(({ object }) => object);
  const reads = () => old.reduce((sum, one) => sum + one.reads(), 0);
  t.equal(lintInstances(entries, workloads, idcs, known).length, 1);
  const atFirst = reads();
  t.ok(atFirst >= 100);
  const fresh = counted(instance(200, 'none', 'sh-a'));
  t.equal(lintInstances([...entries], [...workloads, fresh.object], new Set(idcs), known).length, 2);
  t.equal(reads(), atFirst, 'those of before were not read');
  t.ok(fresh.reads() > 0);
  t.equal(lintInstances(entries, workloads, new Set(['sh-b']), known).length, 100, 'other Idcs');
  t.ok(reads() >= 2 * atFirst);
});
