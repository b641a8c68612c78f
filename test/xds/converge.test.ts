import t from 'tap';
import { seededRandom } from '../../src/base/random.ts';
import type { ResourceChange } from '../../src/xds/change.ts';
import { cds, eds, gone, lds, rds, story } from './story.ts';

// Envoys as simple models, that read, answer and reconnect when chance says so. Whatever happens: a route in
// force names a cluster that is there and warm; no response has a name twice; nothing is pushed out of turn;
// in the end all have the same state as the server. A failure prints its seed.

type Story = ReturnType<typeof story>;
type Resource = Record<string, unknown>;

let models = 0;

/** A client that behaves as Envoy does: it acknowledges CDS once the clusters are warm. */
class Model {
  readonly have = new Map<string, Map<string, { resource: Resource; version: string }>>();
  private readonly cold = new Set<string>();
  private stream: ReturnType<Story['connect']>;
  private inbox: ReturnType<ReturnType<Story['connect']>['take']> = [];
  private readonly asked = new Set<string>();
  private waiting: string | undefined;
  private readonly s: Story;
  private readonly id: string;
  readonly protocol: 'sotw' | 'delta';

  constructor(s: Story, protocol: 'sotw' | 'delta') {
    this.s = s;
    this.protocol = protocol;
    for (const type of ['CDS', 'EDS', 'LDS', 'RDS']) this.have.set(type, new Map());
    this.id = `model-${models}`;
    models += 1;
    this.stream = s.connect(protocol, 'k', this.id);
    this.begin();
  }

  of(type: string) {
    return this.have.get(type) as Map<string, { resource: Resource; version: string }>;
  }

  private begin() {
    this.inbox = [];
    this.asked.clear();
    this.waiting = undefined;
    this.ask('CDS', []);
    this.ask('LDS', []);
    if (this.of('CDS').size > 0) this.ask('EDS', [...this.of('CDS').keys()]);
    if (this.of('LDS').size > 0) this.ask('RDS', ['r']);
  }

  reconnect() {
    this.stream.close();
    this.stream = this.s.connect(this.protocol, 'k', this.id);
    this.begin();
  }

  /** A (further) subscription; Delta says the difference, and on a new stream what it has. */
  private ask(type: string, names: readonly string[], nonce = '', before: Iterable<string> = []) {
    if (this.protocol === 'sotw') this.stream.send(type, { resource_names: names, response_nonce: nonce });
    else {
      const had = new Set(before);
      const initial = Object.fromEntries([...this.of(type)].map(([name, { version }]) => [name, version]));
      this.stream.send(type, {
        resource_names_subscribe: names.filter((name) => !had.has(name)),
        resource_names_unsubscribe: [...had].filter((name) => !names.includes(name)),
        ...(this.asked.has(type) ? {} : { initial_resource_versions: initial }),
      });
    }
    this.asked.add(type);
  }

  private nonces = new Map<string, string>();
  private twice: string | undefined;

  private answer(type: string, nonce: string) {
    const names = type === 'EDS' ? [...this.of('CDS').keys()] : type === 'RDS' ? ['r'] : [];
    const said = this.protocol === 'sotw' ? { resource_names: names } : {};
    this.stream.send(type, { response_nonce: nonce, ...said });
  }

  /** Reads one message, if there is one. */
  read(): boolean {
    this.inbox.push(...this.stream.take());
    const message = this.inbox.shift();
    if (message === undefined) return false;
    const { type, nonce } = message;
    this.nonces.set(type, nonce);
    const before = new Map(this.of(type));
    const state = this.of(type);
    const complete = this.protocol === 'sotw' && (type === 'CDS' || type === 'LDS');
    const names = message.resources.map((one) => String(one.cluster_name ?? one.name));
    const told = [...names, ...message.removed];
    if (new Set(told).size < told.length) this.twice = `${type} has a name twice: ${told}`;
    for (const name of message.removed) state.delete(name);
    if (complete) for (const name of state.keys()) if (!names.includes(name)) state.delete(name);
    for (const [i, name] of names.entries()) {
      // What is not asked for is ignored, as Envoy does.
      if (type === 'EDS' && !this.of('CDS').has(name)) continue;
      state.set(name, { resource: message.resources[i] as Resource, version: message.versions[i] ?? '' });
    }
    if (type === 'CDS') this.tookClusters(before);
    if (type === 'EDS') for (const name of names) this.cold.delete(name);
    if (type === 'LDS' && !this.asked.has('RDS')) this.ask('RDS', ['r']);
    if (type === 'CDS' && this.cold.size > 0) this.waiting = nonce;
    else this.answer(type, nonce);
    if (this.waiting !== undefined && this.cold.size === 0) {
      const late = this.waiting;
      this.waiting = undefined;
      this.answer('CDS', late);
    }
    return true;
  }

  private tookClusters(before: ReadonlyMap<string, { resource: Resource }>) {
    const now = this.of('CDS');
    for (const [name, { resource }] of now)
      if (JSON.stringify(before.get(name)?.resource) !== JSON.stringify(resource)) this.cold.add(name);
    for (const name of before.keys())
      if (!now.has(name)) for (const set of [this.cold, this.of('EDS')]) set.delete(name);
    const added = [...now.keys()].some((name) => !before.has(name));
    const removed = [...before.keys()].some((name) => !now.has(name));
    if (added || removed) this.ask('EDS', [...now.keys()], this.nonces.get('EDS') ?? '', before.keys());
  }

  /** What must never be: a route to a cluster that is not there, or a response with one name twice. */
  fault(): string | undefined {
    if (this.twice !== undefined) return `${this.protocol}: ${this.twice}`;
    const target = this.of('RDS').get('r')?.resource.request_headers_to_remove as string[] | undefined;
    if (target === undefined || this.of('CDS').has(String(target))) return undefined;
    return `${this.protocol}: the route names ${target}, of ${[...this.of('CDS').keys()]}`;
  }
}

/** One change of the world: all that belongs together, at once. */
function change(
  random: () => number,
  world: { target: string; extra: Set<string>; step: number },
): ResourceChange[] {
  const pick = Math.floor(random() * 5);
  world.step += 1;
  const content = `v${world.step}`;
  if (pick === 0) return [cds(world.target, content)];
  if (pick === 1) return [eds(world.target, content)];
  if (pick === 2) return [lds('l', 'r', content)];
  const name = `x${Math.floor(random() * 6)}`;
  if (pick === 3 && name !== world.target) {
    if (world.extra.delete(name)) return [gone('CDS', name), gone('EDS', name)];
    world.extra.add(name);
    return [cds(name, content), eds(name, content)];
  }
  const [from, to] = [world.target, `t${world.step}`];
  world.target = to;
  return [gone('CDS', from), gone('EDS', from), rds('r', to), eds(to), cds(to)];
}

async function run(seed: number, reconnects: boolean, ahead: boolean): Promise<string | undefined> {
  const random = seededRandom(seed);
  const s = story(ahead ? { sendAhead: () => true } : {});
  const world = { target: 't0', extra: new Set<string>(), step: 0 };
  await s.apply([cds('t0'), eds('t0'), lds('l', 'r'), rds('r', 't0')]);
  const models = [new Model(s, 'sotw'), new Model(s, 'delta'), new Model(s, 'delta')];
  for (let step = 0; step < 300; step++) {
    const model = models[Math.floor(random() * models.length)] as Model;
    const what = random();
    if (what < 0.15) await s.apply(change(random, world));
    else if (what < 0.17 && reconnects && model.protocol === 'delta') model.reconnect();
    else if (what < 0.2 && reconnects) s.pass(100);
    else model.read();
    for (const one of models) {
      const fault = one.fault();
      if (fault !== undefined) return `step ${step}: ${fault}`;
    }
  }
  for (let round = 0; round < 200; round++) {
    s.pass(100);
    while (models.some((model) => model.read()));
  }
  if (s.hub.stats.outOfTurn > 0) return `${s.hub.stats.outOfTurn} pushes out of turn`;
  const wanted = JSON.stringify([world.target, ...world.extra].sort());
  for (const model of models) {
    for (const type of ['CDS', 'EDS'])
      if (JSON.stringify([...model.of(type).keys()].sort()) !== wanted)
        return `${model.protocol} ${type}: ${[...model.of(type).keys()].sort()}, not ${wanted}`;
    if (model.of('RDS').get('r')?.resource.request_headers_to_remove?.toString() !== world.target)
      return `${model.protocol}: the route is old`;
  }
  const late = s.hub.unconfirmed(s.hub.revision());
  return late.length === 0 ? undefined : `${late.length} streams have not confirmed`;
}

for (const [reconnects, ahead] of [
  [false, false],
  [true, false],
  [false, true],
  [true, true],
] as const) {
  t.test(
    `200 random runs${reconnects ? ', with reconnects' : ''}${ahead ? ', sent ahead' : ''}`,
    async (t) => {
      for (let seed = 1; seed <= 200; seed++) {
        const fault = await run(seed, reconnects, ahead);
        if (fault !== undefined) return t.fail(`seed ${seed}: ${fault}`);
      }
      t.pass();
    },
  );
}
