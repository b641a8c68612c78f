import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { workload } from '../registry/objects.ts';
import { KubeApi, withoutKube } from '../support/kube/kube-api.ts';
import { collectionOf, defineKinds, pathOf, putObject } from '../support/kube/kube-kinds.ts';
import { proxyKubeconfig, startKubeProxy } from '../support/kube/kube-proxy.ts';
import { watchWorld } from '../support/kube/kube-world.ts';

// What is in force is what the API server has, however much is written meanwhile.

const perSecond = 200;
const before = 2_000;

/** Changes, deletes and adds instances at a steady rate, until it is ended. */
class Writer {
  readonly #api: KubeApi;
  readonly #open = new Set<Promise<unknown>>();
  readonly #timer: NodeJS.Timeout;
  /** What fails but for what is gone already. */
  readonly failures: string[] = [];
  written = 0;

  constructor(api: KubeApi) {
    this.#api = api;
    const startedAt = performance.now();
    this.#timer = setInterval(() => {
      const due = ((performance.now() - startedAt) / 1000) * perSecond;
      // So many at once that the server is busy, and no more.
      while (this.written < due && this.#open.size < 50) this.#write(this.written++);
    }, 5);
  }

  #write(at: number): void {
    // One object is written by one request at a time: 500 are more than are open.
    const name = `w-${(at * 7) % 500}`;
    const done = this.#one(at, name)
      .catch((reason: Error) => void this.failures.push(reason.message))
      .finally(() => this.#open.delete(done));
    this.#open.add(done);
  }

  async #one(at: number, name: string): Promise<unknown> {
    if (at % 5 === 0) return this.#api.must('DELETE', pathOf(workload(name)), undefined, [404]);
    if (at % 5 === 1) return putObject(this.#api, workload(`n-${at}`));
    return putObject(this.#api, workload(name, { weight: 1 + (at % 90) }));
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
  }
}

/** Names and weights of what the API server has. */
async function weightsOf(api: KubeApi): Promise<ReadonlyMap<string, number>> {
  const list = (await api.must('GET', collectionOf('WorkloadEntry'))) as {
    items: readonly { metadata: { name: string }; spec: { weight?: number } }[];
  };
  return new Map(list.items.map(({ metadata, spec }) => [metadata.name, spec.weight ?? 1]));
}

function weightsIn(seen: ReturnType<typeof watchWorld>['seen']): ReadonlyMap<string, number> {
  return new Map(
    [...seen.state().values()].flatMap((object) =>
      object.kind === 'WorkloadEntry' ? [[object.meta.name, object.spec.weight ?? 1]] : [],
    ),
  );
}

function sorted(map: ReadonlyMap<string, number>): readonly (readonly [string, number])[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}

async function startWorld(t: Test) {
  const api = await KubeApi.start(t);
  await defineKinds(api);
  await api.must('POST', '/api/v1/namespaces', { metadata: { name: 'shop' } });
  for (let at = 0; at < before; at += 100)
    await Promise.all(
      Array.from({ length: 100 }, (_, next) =>
        api.must('POST', collectionOf('WorkloadEntry', 'shop'), workload(`w-${at + next}`)),
      ),
    );
  return api;
}

t.test('writes that go on while it starts, and while its watches break', { skip: withoutKube }, async (t) => {
  const api = await startWorld(t);
  const proxy = await startKubeProxy(t, api);

  await t.test('a start is whole, and what is written meanwhile arrives', async (t) => {
    const writer = new Writer(api);
    for (let round = 0; round < 3; round += 1) {
      await sleep(200);
      // Nobody touches these: a start that lacked one would be half a picture.
      const { seen, started, stop } = watchWorld(t, proxyKubeconfig(api, proxy));
      await started;
      const atStart = weightsIn(seen);
      t.equal(seen.count('synced'), 1);
      for (let at = 500; at < before; at += 1)
        if (!atStart.has(`w-${at}`)) t.fail(`w-${at} is lacking as it says that it is in sync`);
      if (round < 2) {
        stop();
        continue;
      }
      await sleep(500);
      await writer.end();
      t.strictSame(writer.failures, []);
      const want = await weightsOf(api);
      const last = () => JSON.stringify(sorted(weightsIn(seen))) === JSON.stringify(sorted(want));
      await seen.until('the last write', last);
      t.comment(`${writer.written} writes, ${want.size} objects`);
    }
  });

  await t.test(
    'a storm of broken watches: no object goes that is there, and nothing is missed',
    async (t) => {
      const { seen, started } = watchWorld(t, proxyKubeconfig(api, proxy));
      await started;
      const writer = new Writer(api);
      const listsBefore = proxy.asked.length;
      for (let cut = 0; cut < 40; cut += 1) {
        await sleep(50);
        proxy.cut();
      }
      await writer.end();
      t.strictSame(writer.failures, []);
      const want = await weightsOf(api);
      const last = () => JSON.stringify(sorted(weightsIn(seen))) === JSON.stringify(sorted(want));
      await seen.until('the last write', last, 30_000);
      t.notOk(
        seen.log().some((word) => {
          const [, number] = /^-WorkloadEntry\/shop\/w-(\d+)$/.exec(word) ?? [];
          return number !== undefined && Number(number) >= 500;
        }),
        'nothing went that nobody deleted',
      );
      t.comment(`${writer.written} writes, ${proxy.asked.length - listsBefore} requests`);
    },
  );

  await t.test('answers come 8 s late: slow, and nothing else', async (t) => {
    const { seen, started, source } = watchWorld(t, proxyKubeconfig(api, proxy));
    await started;
    const count = [...source.objects()].length;
    proxy.spoil = () => ({ lateMs: 8_000 });
    proxy.cut();
    await putObject(api, workload('late', { weight: 9 }));
    await seen.until('the change', () => weightsIn(seen).get('late') === 9, 60_000);
    t.equal([...source.objects()].length, count + 1);
    await seen.until('nothing to be told', () => seen.errors().length === 0, 30_000);
    t.notOk(seen.all.slice(count + 1).some(({ type }) => type === 'delete'));
  });
});
