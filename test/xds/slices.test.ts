import fc from 'fast-check';
import t from 'tap';
import { type Random, seededRandom } from '../../src/base/random.ts';
import { finish } from '../../src/xds/slices.ts';
import {
  parseDeltaRequest,
  parseSotwRequest,
  type Reading,
  readDeltaRequest,
  readSotwRequest,
} from '../../src/xds/wire/discovery-messages.ts';
import { field } from '../../src/xds/wire/varint.ts';
import { deltaRequest, namesOf, sotwRequest } from '../support/attacks/call.ts';
import { eds, gone, story } from './story.ts';

// What is done in slices ends as what is done at once, wherever it is cut, and whatever changes between two
// slices.

/** What a reading comes to, cut where chance says so: the request, or why it is none. */
function inPieces<R>(reading: Reading<R>, random: Random, steps: { count: number }): unknown {
  try {
    while (!reading.step(1 + Math.floor(random() * 2_000))) steps.count += 1;
    return reading.request();
  } catch (error) {
    return String(error);
  }
}

function atOnce(parse: () => unknown): unknown {
  try {
    return parse();
  } catch (error) {
    return String(error);
  }
}

t.test('a request read in slices equals one read at once', async (t) => {
  const steps = { count: 0 };
  let refused = 0;
  for (let seed = 1; seed <= 300; seed += 1) {
    const random = seededRandom(seed);
    const some = (max: number) => namesOf(Math.floor(random() * max), `name-${'x'.repeat(random() * 30)}`);
    const type = random() < 0.8 ? 'a.type' : 'y'.repeat(600);
    const parts = Array.from({ length: 1 + Math.floor(random() * 3) }, () => [
      ...[deltaRequest({ type, names: some(2_000), unsubscribe: some(500), nonce: 'n' })],
      ...some(200).map((name) => field(5, Buffer.concat([field(1, name), field(2, 'v')]))),
      ...some(3).map((name) => field(9, name)),
    ]);
    const delta = Buffer.concat(parts.flat());
    const sotw = Buffer.concat(parts.map(() => sotwRequest({ type, names: some(3_000), error: 'no' })));
    for (const bytes of [delta, sotw])
      if (random() < 0.3) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    const last = sotw.subarray(0, Math.floor(random() * sotw.length));
    const read = [
      [atOnce(() => parseDeltaRequest(delta)), inPieces(readDeltaRequest(delta), random, steps)],
      [atOnce(() => parseSotwRequest(sotw, [last])), inPieces(readSotwRequest(sotw, [last]), random, steps)],
    ];
    for (const [whole, pieces] of read) {
      if (typeof whole === 'string') refused += 1;
      if (JSON.stringify(whole) !== JSON.stringify(pieces)) t.fail(`seed ${seed}`);
    }
  }
  t.ok(steps.count > 3_000, `${steps.count} steps`);
  t.ok(refused > 50, `${refused} were refused`);
});

t.test('work done at once returns its result', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat()), (list) => {
      const seen: number[] = [];
      function* work() {
        for (const one of list) {
          seen.push(one);
          yield;
        }
        return seen.length;
      }
      return finish(work()) === list.length && seen.join() === list.join();
    }),
  );
  t.pass();
});

type Client = ReturnType<ReturnType<typeof story>['connect']>;

/** A client of 3,000 names and more that keeps what it is told. */
class Model {
  client: Client;
  readonly have = new Map<string, { readonly content: string; readonly version: string }>();
  readonly wants = new Set<string>();
  readonly protocol: 'sotw' | 'delta';

  constructor(client: Client, protocol: 'sotw' | 'delta') {
    this.client = client;
    this.protocol = protocol;
  }

  ask(add: readonly string[], leave: readonly string[]): void {
    for (const name of leave) {
      this.wants.delete(name);
      this.have.delete(name);
    }
    for (const name of add) this.wants.add(name);
    if (this.protocol === 'sotw') this.client.ask('EDS', ...this.wants);
    else this.client.send('EDS', { resource_names_subscribe: add, resource_names_unsubscribe: leave });
  }

  /** Comes back on a new stream, with what it has. */
  comeBack(client: Client): void {
    this.client.close();
    this.client = client;
    if (this.protocol === 'sotw') client.ask('EDS', ...this.wants);
    else
      client.send('EDS', {
        resource_names_subscribe: [...this.wants],
        initial_resource_versions: Object.fromEntries(
          Array.from(this.have, ([name, { version }]) => [name, version]),
        ),
      });
  }

  /** Takes what came, and accepts it or not; whether there was anything. */
  read(accepts: boolean): boolean {
    const messages = this.client.take();
    for (const { resources, versions, removed } of messages) {
      if (!accepts) continue;
      for (const [i, resource] of resources.entries()) {
        const name = String(resource.cluster_name);
        const content = JSON.stringify(resource.endpoints);
        if (this.wants.has(name)) this.have.set(name, { content, version: versions[i] ?? '' });
      }
      for (const name of removed) this.have.delete(name);
    }
    if (messages.length === 0) return false;
    if (accepts) this.client.ack('EDS');
    else this.client.nack('EDS', 'no');
    return true;
  }
}

for (const protocol of ['delta', 'sotw'] as const)
  t.test(`${protocol}: whatever changes between two slices, all have the same in the end`, async (t) => {
    let between = 0;
    for (let seed = 1; seed <= 12; seed += 1) {
      const random = seededRandom(seed);
      const pick = (max: number) => Math.floor(random() * max);
      const s = story();
      const all = namesOf(6_000, 'n');
      const truth = new Map<string, string>();
      const change = async (count: number) => {
        const changes = Array.from({ length: count }, () => {
          const name = all[pick(all.length)] as string;
          if (truth.has(name) && random() < 0.4) {
            truth.delete(name);
            return gone('EDS', name);
          }
          truth.set(name, `v${pick(1e9)}`);
          return eds(name, truth.get(name));
        });
        await s.apply(changes);
      };
      await change(2_000);
      const connect = (inSlices: boolean) => s.connect(protocol, 'k', `node-${inSlices}`, inSlices);
      const models = [false, true].map((inSlices) => new Model(connect(inSlices), protocol));
      const [, sliced] = models as [Model, Model];
      for (let round = 0; round < 12; round += 1) {
        const from = pick(4_000);
        const add = all.slice(from, from + 1 + pick(3_000));
        const leave = random() < 0.5 ? all.slice(0, pick(1_500)) : [];
        const fresh = add.filter((name) => !leave.includes(name));
        if (round === 6) for (const [i, model] of models.entries()) model.comeBack(connect(i === 1));
        else for (const model of models) model.ask(fresh, leave);
        for (let steps = pick(40); steps > 0; steps -= 1) {
          if (!sliced.client.step()) break;
          if (random() < 0.2) {
            await change(1 + pick(20));
            between += 1;
          }
        }
        const accepts = random() < 0.8;
        for (const model of models) model.read(accepts);
        s.pass(pick(2_000));
      }
      for (let quiet = 0; quiet < 40; ) {
        const left = sliced.client.step();
        const [one, other] = models.map((model) => model.read(true));
        s.pass(left ? 1 : 3_000);
        await Promise.resolve();
        quiet = left || one || other ? 0 : quiet + 1;
      }
      for (const { client, wants, have } of models) {
        const right = [...wants].filter((name) => truth.has(name)).sort();
        // Of endpoints State of the World cannot say that they are gone.
        const has = [...have.keys()].filter((name) => protocol === 'delta' || truth.has(name));
        t.same(has.sort(), right, `seed ${seed}: names`);
        const wrong = right.filter((name) => !have.get(name)?.content.includes(`"${truth.get(name)}"`));
        t.same(wrong, [], `seed ${seed}: contents`);
        t.equal(client.state('EDS')?.state, 'SYNCED', `seed ${seed}`);
      }
    }
    t.ok(between > 100, `${between} changes between two slices`);
  });
