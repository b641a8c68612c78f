import type { Random } from '../../../src/base/random.ts';
import type { story } from '../story.ts';

type Story = ReturnType<typeof story>;
type Stream = ReturnType<Story['connect']>;
type Message = ReturnType<Stream['take']>[number];
type Resource = Record<string, unknown>;

/** A resource as a client has it; State of the World tells no version. */
interface Kept {
  readonly resource: Resource;
  readonly version: string;
}

const types = ['CDS', 'EDS', 'LDS', 'RDS'] as const;
type Type = (typeof types)[number];

/**
 * A client that behaves as Envoy does. A new cluster is in use once its endpoints have come, and CDS is
 * acknowledged once no cluster is warming. A listener is in use once its routes have come. It refuses
 * resources whose content begins with `bad`, and takes the others of the response, or none of them.
 */
export class EnvoyModel {
  readonly protocol: 'sotw' | 'delta';
  readonly id: string;
  stream: Stream;
  nodeClass: string;
  /** Responses read, and answers sent, on the present stream. */
  read = 0;
  answered = 0;
  /** Whether it was in sync since it connected. */
  wasInSync = false;
  /** Names of what it has refused at some time; of endpoints and routes with what came beside it. */
  readonly refused = new Set<string>();
  /** Endpoints that it has from an earlier stream, which State of the World does not tell the server. */
  readonly fromBefore = new Set<string>();
  wasWhole = true;
  readonly #story: Story;
  readonly #random: Random;
  readonly #have = new Map<Type, Map<string, Kept>>(types.map((type) => [type, new Map()]));
  /** Clusters in use, and the routes of the listeners in use. */
  readonly #warm = new Set<string>();
  readonly #routeOf = new Map<string, string>();
  readonly #cold = new Set<string>();
  #inbox: Message[] = [];
  #answers: (() => void)[] = [];
  #waiting: (() => void) | undefined;
  readonly #asked = new Map<Type, readonly string[]>();
  readonly #nonces = new Map<Type, string>();
  readonly #owed = new Set<Type>();
  #twice: string | undefined;

  constructor(s: Story, random: Random, protocol: 'sotw' | 'delta', nodeClass: string, inSlices = false) {
    this.#story = s;
    this.#random = random;
    this.protocol = protocol;
    this.nodeClass = nodeClass;
    this.id = `model-${random()}`;
    this.stream = s.connect(protocol, nodeClass, this.id, inSlices);
    this.#begin();
  }

  of(type: Type): Map<string, Kept> {
    return this.#have.get(type) as Map<string, Kept>;
  }

  reconnect(nodeClass: string, inSlices = false): void {
    this.stream.close();
    this.nodeClass = nodeClass;
    this.stream = this.#story.connect(this.protocol, nodeClass, this.id, inSlices);
    this.#begin();
  }

  #begin(): void {
    [this.#inbox, this.#answers, this.#waiting] = [[], [], undefined];
    [this.read, this.answered, this.wasInSync] = [0, 0, false];
    this.wasWhole = types.every((type) => this.of(type).size === 0);
    this.#asked.clear();
    this.#nonces.clear();
    this.#owed.clear();
    if (this.protocol === 'sotw') for (const name of this.of('EDS').keys()) this.fromBefore.add(name);
    this.#ask('CDS', []);
    this.#ask('LDS', []);
    if (this.of('CDS').size > 0) this.#ask('EDS', [...this.of('CDS').keys()]);
    if (this.of('LDS').size > 0) this.#ask('RDS', this.#routes());
  }

  /** The names that it is to have of a type. */
  #routes(): string[] {
    const named = [...this.of('LDS').values()].map(({ resource }) => routeOf(resource));
    return [...new Set([...named, ...this.#routeOf.values()])].sort();
  }

  /** Whether it has subscribed to a name: others it ignores. */
  #wants(type: Type, name: string): boolean {
    return type === 'CDS' || type === 'LDS' || this.#asked.get(type)?.includes(name) === true;
  }

  /** Subscribes to these names instead of the ones before. */
  #ask(type: Type, names: readonly string[]): void {
    const before = this.#asked.get(type);
    if (before !== undefined && before.join() === names.join()) return;
    this.#asked.set(type, names);
    if (this.protocol === 'sotw') {
      // The answer to the response under way has them.
      if (this.#owed.has(type)) return;
      this.stream.send(type, { resource_names: names, response_nonce: this.#nonces.get(type) ?? '' });
      return;
    }
    const initial = Object.fromEntries([...this.of(type)].map(([name, { version }]) => [name, version]));
    this.stream.send(type, {
      resource_names_subscribe: names.filter((name) => !before?.includes(name)),
      resource_names_unsubscribe: (before ?? []).filter((name) => !names.includes(name)),
      ...(before === undefined && { initial_resource_versions: initial }),
    });
  }

  #answer(type: Type, nonce: string, refused: string | undefined): void {
    this.answered += 1;
    this.#owed.delete(type);
    const names = this.protocol === 'sotw' ? { resource_names: this.#asked.get(type) ?? [] } : {};
    const error = refused === undefined ? {} : { error_detail: { code: 13, message: refused } };
    this.stream.send(type, { response_nonce: nonce, ...names, ...error });
  }

  /** Reads a message, or sends an answer. Whether there was something to do. */
  act(): boolean {
    if (this.stream.step()) return true;
    this.#inbox.push(...this.stream.take());
    if (this.#answers.length > 0 && (this.#inbox.length === 0 || this.#random() < 0.5)) {
      this.#answers.shift()?.();
      return true;
    }
    const message = this.#inbox.shift();
    if (message !== undefined) this.#take(message);
    return message !== undefined;
  }

  #take({ type: short, nonce, resources, versions, removed }: Message): void {
    const type = short as Type;
    this.read += 1;
    this.#owed.add(type);
    this.#nonces.set(type, nonce);
    const names = resources.map(nameOf);
    if (new Set([...names, ...removed]).size < names.length + removed.length)
      this.#twice = `${type} has a name twice: ${[...names, ...removed]}`;
    const bad = names.filter((_, i) => contentOf(resources[i] as Resource).startsWith('bad'));
    if (bad.length > 0)
      for (const name of type === 'EDS' || type === 'RDS' ? names : bad) this.refused.add(name);
    const isComplete = type === 'CDS' || type === 'LDS';
    // Envoy takes the good clusters and listeners of a response that it refuses.
    const takes = bad.length === 0 || isComplete || this.#random() < 0.5;
    const before = new Map(this.of(type));
    const state = this.of(type);
    if (takes) {
      for (const name of removed) state.delete(name);
      if (this.protocol === 'sotw' && isComplete)
        for (const name of state.keys()) if (!names.includes(name)) state.delete(name);
      for (const [i, name] of names.entries())
        if (!bad.includes(name) && this.#wants(type, name))
          state.set(name, { resource: resources[i] as Resource, version: versions[i] ?? '' });
    }
    if (type === 'EDS')
      for (const name of [...names, ...removed].filter((one) => this.#wants(type, one))) {
        this.#cold.delete(name);
        this.#warm.add(name);
        if (takes && !bad.includes(name)) this.fromBefore.delete(name);
      }
    const answer = () => this.#answer(type, nonce, bad.length === 0 ? undefined : this.#words(type, bad));
    if (type === 'CDS') this.#tookClusters(before);
    this.#useListeners();
    if (type === 'CDS' && this.#cold.size > 0) this.#waiting = answer;
    else this.#answers.push(answer);
    if (this.#cold.size > 0 || this.#waiting === undefined) return;
    this.#answers.push(this.#waiting);
    this.#waiting = undefined;
  }

  /** Envoy's `initial_fetch_timeout`: it no longer waits for endpoints. */
  stopWarming(): void {
    for (const name of this.#cold) this.#warm.add(name);
    this.#cold.clear();
    if (this.#waiting !== undefined) this.#answers.push(this.#waiting);
    this.#waiting = undefined;
  }

  /** Envoy's words name listeners and clusters, and nothing else. */
  #words(type: Type, bad: readonly string[]): string {
    if (type === 'LDS')
      return `Error adding/updating listener(s) ${bad.map((name) => `${name}: no`).join(' ')}`;
    if (type === 'CDS' && this.#random() < 0.5) return `Error adding/updating cluster(s) ${bad[0]}: no`;
    return 'refused';
  }

  #tookClusters(before: ReadonlyMap<string, Kept>): void {
    const now = this.of('CDS');
    for (const [name, { resource }] of now)
      if (JSON.stringify(before.get(name)?.resource) !== JSON.stringify(resource)) this.#cold.add(name);
    for (const name of before.keys())
      if (!now.has(name)) {
        this.#cold.delete(name);
        this.#warm.delete(name);
        this.of('EDS').delete(name);
      }
    const names = [...now.keys()].sort();
    if (names.length > 0 || this.#asked.has('EDS')) this.#ask('EDS', names);
  }

  #useListeners(): void {
    const listeners = this.of('LDS');
    for (const name of this.#routeOf.keys()) if (!listeners.has(name)) this.#routeOf.delete(name);
    for (const [name, { resource }] of listeners)
      if (this.of('RDS').has(routeOf(resource))) this.#routeOf.set(name, routeOf(resource));
    const routes = this.#routes();
    // State of the World does not tell that a route is gone: it goes with the listeners that name it.
    if (this.protocol === 'sotw')
      for (const name of this.of('RDS').keys()) if (!routes.includes(name)) this.of('RDS').delete(name);
    if (routes.length > 0 || this.#asked.has('RDS')) this.#ask('RDS', routes);
    for (const name of this.of('RDS').keys()) if (!routes.includes(name)) this.of('RDS').delete(name);
  }

  /** What must never be: something in use names what is not there; a response has a name twice. */
  fault(): string | undefined {
    if (this.#twice !== undefined) return `${this.protocol}: ${this.#twice}`;
    for (const [listener, route] of this.#routeOf) {
      const routes = this.of('RDS').get(route)?.resource;
      // An older listener may stay in place of a refused one, or of one with refused routes, without its own.
      const wanted = this.of('LDS').get(listener)?.resource;
      const isOld = this.refused.has(listener) || (wanted && this.refused.has(routeOf(wanted)));
      if (routes === undefined && isOld) continue;
      if (routes === undefined) return `${this.protocol}: listener ${listener} lacks its routes ${route}`;
      for (const target of targetsOf(routes))
        if (!this.of('CDS').has(target) || !this.#warm.has(target))
          return `${this.protocol}: route ${route} of ${listener} lacks the cluster ${target} ${this.id}`;
    }
    return undefined;
  }

  /** All that it has: each resource in full, and which routes its listeners use. */
  whole(): string[] {
    const used = Array.from(this.#routeOf, ([listener, route]) => `${listener} uses ${route}`);
    return [...this.resources(() => false), ...used.sort()];
  }

  /** Its resources as text, by type and name, but those of which it `isLeftOut`. */
  resources(isLeftOut: (type: string, name: string) => boolean): string[] {
    return types.flatMap((type) =>
      [...this.of(type)]
        .filter(([name]) => !isLeftOut(type, name))
        .map(([name, { resource, version }]) => `${type} ${name} ${version} ${JSON.stringify(resource)}`)
        .sort(),
    );
  }
}

function nameOf(resource: Resource): string {
  return String(resource.cluster_name ?? resource.name);
}

/** What `cds`, `eds`, `lds` and `rds` of the story wrote as content. */
export function contentOf(resource: Resource): string {
  const {
    alt_stat_name,
    stat_prefix,
    endpoints,
    request_headers_to_remove: targets,
  } = resource as {
    alt_stat_name?: string;
    stat_prefix?: string;
    endpoints?: { locality: { zone: string } }[];
    request_headers_to_remove?: string[];
  };
  return String(alt_stat_name ?? endpoints?.[0]?.locality.zone ?? stat_prefix ?? targets?.[0] ?? '');
}

/** The clusters that a RouteConfiguration names: all but the first, which is its content. */
function targetsOf(resource: Resource): readonly string[] {
  return (resource.request_headers_to_remove as string[]).slice(1);
}

function routeOf(resource: Resource): string {
  const [chain] = (resource.filter_chains ?? []) as { filters: { typed_config: { rds: Resource } }[] }[];
  return String(chain?.filters[0]?.typed_config.rds.route_config_name);
}
