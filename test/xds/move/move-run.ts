import { seededRandom } from '../../../src/base/random.ts';
import type { MoveSeams } from '../../../src/xds/move/move-order.ts';
import { clusterType, endpointType, listenerType, routeType } from '../../../src/xds/resource-types.ts';
import { story } from '../story.ts';
import { contentOf, EnvoyModel } from './envoy-model.ts';
import { type EndpointChange, World } from './world.ts';

// Clients that are moved between classes at any time, while these change, answers are under way, resources
// are refused, streams end and classes are dropped. At no moment does a client lack what something in use
// names, or is said to have endpoints that it has not; in the end it has what a new stream of its class gets,
// byte for byte. A failure prints its seed.

const allTypes = [clusterType, endpointType, listenerType, routeType];
const classes = ['k0', 'k1', 'k2'];

/** What happens in a run besides moves. */
export interface Hardships {
  /** The share of changes that clients refuse. */
  readonly bad?: number;
  readonly reconnects?: boolean;
  readonly drops?: boolean;
  /** Requests are worked on in slices, and time passes meanwhile. */
  readonly inSlices?: boolean;
  readonly seams?: MoveSeams;
  /** False: no moves, to see that the clients behave without. */
  readonly moves?: false;
  readonly steps?: number;
}

/** A change of endpoints that somebody waits for. */
interface Awaited extends EndpointChange {
  readonly revision: number;
  /** Clients of the classes that it changed, which have not confirmed it. */
  readonly models: Set<EnvoyModel>;
}

/** One run: a server, its classes and clients. */
export class Run {
  readonly #random;
  readonly #hardships: Hardships;
  readonly #s;
  readonly #world;
  readonly #models: EnvoyModel[];
  readonly #awaited: Awaited[] = [];

  constructor(seed: number, hardships: Hardships) {
    const random = seededRandom(seed);
    this.#random = random;
    this.#hardships = hardships;
    // Slices of 2 ms are of some or many steps.
    this.#s = story({}, true, 0.5, 1, hardships.inSlices ? 0.3 + 0.2 * (seed % 5) : 0);
    this.#world = new World(random);
    for (const name of classes) this.#apply(name, this.#world.fill(name));
    this.#models = (['sotw', 'delta', 'sotw', 'delta', 'delta'] as const).map(
      (protocol) => new EnvoyModel(this.#s, random, protocol, this.#someClass(), hardships.inSlices),
    );
  }

  #someClass(): string {
    return classes[Math.floor(this.#random() * classes.length)] as string;
  }

  #someModel(): EnvoyModel {
    return this.#models[Math.floor(this.#random() * this.#models.length)] as EnvoyModel;
  }

  #apply(nodeClass: string, changes: ReturnType<World['fill']>): number {
    const done = this.#s.hub.apply(nodeClass, changes, { at: 0 }).revision;
    return done;
  }

  /** Runs to the end; what was wrong, if anything. */
  async faults(): Promise<string | undefined> {
    for (let step = 0; step < (this.#hardships.steps ?? 400); step += 1) {
      this.#step();
      // Microtasks: pushes and moves.
      for (let i = 0; i < 3; i += 1) await Promise.resolve();
      const fault = this.#models.map((model) => this.#faultOf(model)).find((one) => one !== undefined);
      if (fault !== undefined) return `step ${step}: ${fault}`;
    }
    return this.#end();
  }

  #step(): void {
    const { bad = 0, reconnects = false, drops = false } = this.#hardships;
    const what = this.#random();
    const model = this.#someModel();
    if (what < 0.08) {
      const nodeClass = this.#someClass();
      this.#apply(nodeClass, this.#world.change(nodeClass, bad));
    } else if (what < 0.12) this.#changeEndpoints(bad);
    else if (what < 0.2 && this.#hardships.moves !== false) this.#move();
    else if (what < 0.22 && reconnects)
      model.reconnect(this.#random() < 0.5 ? model.nodeClass : this.#someClass(), this.#hardships.inSlices);
    else if (what < 0.24 && drops) this.#dropOne();
    else if (what < 0.3) this.#s.pass(this.#random() < 0.5 ? 0 : 60);
    else model.act();
  }

  #changeEndpoints(bad: number): void {
    const { change, of } = this.#world.changeEndpoints(bad);
    let revision = 0;
    const models = new Set<EnvoyModel>();
    for (const name of classes) {
      const changes = of(name);
      revision = Math.max(revision, this.#apply(name, changes));
      if (changes.length === 0) continue;
      for (const model of this.#models) if (model.nodeClass === name) models.add(model);
    }
    this.#awaited.push({ ...change, revision, models });
    if (this.#awaited.length > 12) this.#awaited.shift();
  }

  #move(): void {
    const target = this.#someClass();
    const some = this.#models.filter(() => this.#random() < 0.5);
    const { hub } = this.#s;
    hub.move(
      some.map(({ stream }) => stream.session.info.id),
      target,
      { at: 0 },
      this.#hardships.seams,
    );
    for (const model of some) model.nodeClass = target;
  }

  /** A class that nobody is of goes, and is there again with other content. */
  #dropOne(): void {
    const { hub } = this.#s;
    const name = this.#someClass();
    if (this.#models.some(({ nodeClass }) => nodeClass === name)) return;
    hub.dropClass(name);
    this.#world.drop(name);
    this.#apply(name, this.#world.fill(name));
  }

  #faultOf(model: EnvoyModel): string | undefined {
    const { session } = model.stream;
    // The removals of a stream that begins cannot all be delayed.
    const everything = { revision: this.#s.hub.revision(), types: allTypes, subscribed: true };
    model.wasWhole ||= session.hasConfirmed(everything);
    const fault = model.wasWhole ? model.fault() : undefined;
    if (fault !== undefined) return fault;
    const types = [clusterType, endpointType];
    const inSync = { revision: this.#s.hub.revision(), types, lenient: true, subscribed: true };
    // What a client had before it connected is not known before that.
    model.wasInSync ||= session.hasConfirmed(inSync);
    if (!model.wasInSync) return undefined;
    for (const { name, generation, revision, models } of this.#awaited) {
      if (!models.has(model) || model.refused.has(name) || model.fromBefore.has(name)) continue;
      const resources = new Map([[endpointType, new Set([name])]]);
      const had = model.of('EDS').get(name);
      const has = had === undefined ? generation : Number(/g(\d+)/.exec(contentOf(had.resource))?.[1]);
      if (!session.hasConfirmed({ revision, types, resources })) continue;
      models.delete(model);
      if (has < generation)
        return `${model.protocol}: endpoints of ${name} are of generation ${has}, and ${generation} is confirmed ${model.id}`;
    }
    return undefined;
  }

  /** Lets everything come to rest, and compares each client with a new one of its class. */
  async #end(): Promise<string | undefined> {
    const { hub } = this.#s;
    const isMended = this.#random() < 0.5;
    if (isMended) for (const name of classes) this.#apply(name, this.#world.mend(name));
    const outOfTurn = hub.stats.outOfTurn;
    await this.#settle(this.#models);
    const fresh = this.#models.map(
      ({ protocol, nodeClass }) => new EnvoyModel(this.#s, this.#random, protocol, nodeClass),
    );
    await this.#settle(fresh);
    if (outOfTurn > 0) return `${outOfTurn} pushes out of turn`;
    const isWhole = isMended || this.#hardships.bad === undefined;
    for (const [i, model] of this.#models.entries()) {
      const fault = this.#difference(model, fresh[i] as EnvoyModel, isWhole);
      if (fault !== undefined) return `${model.protocol} of ${model.nodeClass}: ${fault}`;
    }
    return undefined;
  }

  /**
   * What a client that came to rest has otherwise than a new one. `isWhole`: nothing of its class is refused.
   */
  #difference(model: EnvoyModel, fresh: EnvoyModel, isWhole: boolean): string | undefined {
    const { nodeClass, read, answered } = model;
    const { info } = model.stream.session;
    if (info.nodeClass !== nodeClass) return `the server takes it for one of ${info.nodeClass}`;
    if (isWhole && read !== answered) return `${answered} answers to ${read} responses`;
    if (!isWhole) {
      // It keeps older resources instead of refused ones, and what those need.
      const had = new Set(model.resources(() => false));
      const isBad = (type: string, name: string) => this.#world.isBad(nodeClass, type, name);
      return fresh.resources(isBad).find((one) => !had.has(one));
    }
    const [one, two] = [model.whole().join('\n'), fresh.whole().join('\n')];
    if (one !== two) return `\n${one}\nand not\n${two}`;
    // What was refused may be offered once more.
    if (this.#hardships.bad !== undefined) return undefined;
    if (model.stream.take().length > 0) return 'more is sent';
    if (!model.stream.session.hasConfirmed({ revision: this.#s.hub.revision() }))
      return 'has not confirmed all';
    const left = this.#s.hub.differences(info.id);
    return left.length > 0 ? `differs still: ${JSON.stringify(left)}` : undefined;
  }

  async #settle(models: readonly EnvoyModel[]): Promise<void> {
    for (let round = 0; round < 120; round += 1) {
      this.#s.pass(round < 60 ? 40 : 5_000);
      if (round === 100) for (const model of models) model.stopWarming();
      for (let i = 0; i < 3; i += 1) await Promise.resolve();
      for (const model of models) while (model.act()) for (let i = 0; i < 3; i += 1) await Promise.resolve();
    }
  }
}

export async function firstFault(seeds: number, hardships: Hardships): Promise<string | undefined> {
  for (let seed = 1; seed <= seeds; seed += 1) {
    const fault = await new Run(seed, hardships).faults();
    if (fault !== undefined) return `seed ${seed}: ${fault}`;
  }
  return undefined;
}
