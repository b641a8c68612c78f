import type { Random } from '../../../src/base/random.ts';
import type { ResourceChange } from '../../../src/xds/change.ts';
import { cds, eds, gone, lds, rds } from '../story.ts';

/** Content of a class: consistent at any time, so that what a client lacks is the server's fault. */
interface ClassContent {
  readonly clusters: Map<string, string>;
  readonly endpoints: Map<string, string>;
  /** A listener's route and content. */
  readonly listeners: Map<string, { readonly route: string; readonly content: string }>;
  readonly routes: Map<string, { readonly content: string; readonly targets: readonly string[] }>;
}

const clusterNames = ['c0', 'c1', 'c2', 'c3', 'c4', 'x0', 'x1'];
const listenerNames = ['l0', 'l1'];
const routeNames = ['r0', 'r1', 'r2'];

/** Endpoints of a name that changed in all classes that have it. */
export interface EndpointChange {
  readonly name: string;
  readonly generation: number;
}

/** The resources of some classes, which are alike but not the same; random changes keep each consistent. */
export class World {
  readonly #classes = new Map<string, ClassContent>();
  readonly #random: Random;
  /** By name of a cluster: the endpoints' generation, the same in all classes. */
  readonly #generations = new Map<string, number>();
  #step = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  #pick<T>(some: readonly T[]): T {
    return some[Math.floor(this.#random() * some.length)] as T;
  }

  /** Few contents, so that classes agree on most. `bad`: clients may refuse it. */
  #content(bad = 0): string {
    if (this.#random() < bad) return `bad${Math.floor(this.#random() * 2)}`;
    return `v${Math.floor(this.#random() * 2)}`;
  }

  #endpoints(name: string): string {
    return `g${this.#generations.get(name) ?? 0}-${this.#random() < 0.3 ? 'other' : 'same'}`;
  }

  /** A new class, or other content of one: the changes that make it so. */
  fill(nodeClass: string): ResourceChange[] {
    const made: ClassContent = {
      ...{ clusters: new Map(), endpoints: new Map(), listeners: new Map(), routes: new Map() },
    };
    const old = this.#classes.get(nodeClass);
    this.#classes.set(nodeClass, made);
    for (const name of clusterNames) if (this.#random() < 0.6) this.#putCluster(made, name);
    if (made.clusters.size === 0) this.#putCluster(made, 'c0');
    for (const name of routeNames) if (this.#random() < 0.7) this.#putRoute(made, name, 0);
    for (const name of listenerNames) if (this.#random() < 0.8) this.#putListener(made, name, 0);
    return old === undefined ? changesOf(made) : changesBetween(old, made);
  }

  drop(nodeClass: string): void {
    this.#classes.delete(nodeClass);
  }

  #putCluster(content: ClassContent, name: string, bad = 0): void {
    content.clusters.set(name, this.#content(name.startsWith('x') ? bad : 0));
    if (!content.endpoints.has(name)) content.endpoints.set(name, this.#endpoints(name));
  }

  #putRoute(content: ClassContent, name: string, bad: number): void {
    const targets = [...content.clusters.keys()].filter(
      (cluster) => !cluster.startsWith('x') && this.#random() < 0.5,
    );
    content.routes.set(name, { content: this.#content(bad), targets });
  }

  #putListener(content: ClassContent, name: string, bad: number): void {
    if (content.routes.size === 0) return;
    content.listeners.set(name, {
      route: this.#pick([...content.routes.keys()]),
      content: this.#content(bad),
    });
  }

  /** A random consistent change of a class. `bad`: the share that clients may refuse. */
  change(nodeClass: string, bad: number): ResourceChange[] {
    const content = this.#classes.get(nodeClass);
    if (content === undefined) return [];
    const next = copyOf(content);
    this.#step += 1;
    const what = Math.floor(this.#random() * 6);
    if (what === 0) this.#putCluster(next, this.#pick(clusterNames), bad);
    else if (what === 1) this.#putRoute(next, this.#pick(routeNames), bad);
    else if (what === 2) this.#putListener(next, this.#pick(listenerNames), bad);
    else if (what === 3) this.#removeCluster(next, this.#pick(clusterNames));
    else if (what === 4) next.listeners.delete(this.#pick(listenerNames));
    else {
      const name = this.#pick(routeNames);
      if (![...next.listeners.values()].some(({ route }) => route === name)) next.routes.delete(name);
    }
    this.#classes.set(nodeClass, next);
    return changesBetween(content, next);
  }

  #removeCluster(content: ClassContent, name: string): void {
    content.clusters.delete(name);
    content.endpoints.delete(name);
    for (const [route, { content: text, targets }] of content.routes)
      if (targets.includes(name))
        content.routes.set(route, { content: text, targets: targets.filter((target) => target !== name) });
  }

  /** An instance of a Group goes: its endpoints change in each class that has them. */
  changeEndpoints(bad: number): { readonly change: EndpointChange; of(nodeClass: string): ResourceChange[] } {
    const name = this.#pick(clusterNames);
    const generation = (this.#generations.get(name) ?? 0) + 1;
    this.#generations.set(name, generation);
    const isBad = this.#random() < bad;
    return {
      change: { name, generation },
      of: (nodeClass) => {
        const content = this.#classes.get(nodeClass);
        if (content?.endpoints.has(name) !== true) return [];
        const next = copyOf(content);
        next.endpoints.set(name, isBad ? `bad-g${generation}` : this.#endpoints(name));
        this.#classes.set(nodeClass, next);
        return changesBetween(content, next);
      },
    };
  }

  /** Replaces what clients refuse. */
  mend(nodeClass: string): ResourceChange[] {
    const content = this.#classes.get(nodeClass);
    if (content === undefined) return [];
    const next = copyOf(content);
    const good = (text: string) => text.replace('bad', 'good');
    for (const [name, text] of next.clusters) next.clusters.set(name, good(text));
    for (const [name, text] of next.endpoints) next.endpoints.set(name, text.replace('bad-', ''));
    for (const [name, one] of next.routes) next.routes.set(name, { ...one, content: good(one.content) });
    for (const [name, one] of next.listeners)
      next.listeners.set(name, { ...one, content: good(one.content) });
    this.#classes.set(nodeClass, next);
    return changesBetween(content, next);
  }

  /** Whether a class has something that clients refuse under this name, or refers to it. */
  isBad(nodeClass: string, type: string, name: string): boolean {
    const content = this.#classes.get(nodeClass);
    if (type === 'CDS') return content?.clusters.get(name)?.startsWith('bad') === true;
    if (type === 'EDS')
      return content?.endpoints.get(name)?.startsWith('bad') === true || this.isBad(nodeClass, 'CDS', name);
    if (type === 'LDS') return content?.listeners.get(name)?.content.startsWith('bad') === true;
    return true;
  }
}

function copyOf(content: ClassContent): ClassContent {
  const { clusters, endpoints, listeners, routes } = content;
  return {
    ...{ clusters: new Map(clusters), endpoints: new Map(endpoints) },
    ...{ listeners: new Map(listeners), routes: new Map(routes) },
  };
}

const empty: ClassContent = {
  ...{ clusters: new Map(), endpoints: new Map(), listeners: new Map(), routes: new Map() },
};

function changesOf(content: ClassContent): ResourceChange[] {
  return changesBetween(empty, content);
}

/** In an order that is none: the server has to find it. */
function changesBetween(from: ClassContent, to: ClassContent): ResourceChange[] {
  return [
    ...between(from.routes, to.routes, 'RDS', (name, { content, targets }) => rds(name, content, ...targets)),
    ...between(from.listeners, to.listeners, 'LDS', (name, { route, content }) => lds(name, route, content)),
    ...between(from.endpoints, to.endpoints, 'EDS', (name, content) => eds(name, content)),
    ...between(from.clusters, to.clusters, 'CDS', (name, content) => cds(name, content)),
  ];
}

function between<V>(
  from: ReadonlyMap<string, V>,
  to: ReadonlyMap<string, V>,
  type: string,
  make: (name: string, value: V) => ResourceChange,
): ResourceChange[] {
  const put = [...to].filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(from.get(name)));
  const removed = [...from.keys()].filter((name) => !to.has(name));
  return [...removed.map((name) => gone(type, name)), ...put.map(([name, value]) => make(name, value))];
}
