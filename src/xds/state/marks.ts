import type { Cause } from '../cause.ts';
import type { EncodedResource } from '../codec/codec.ts';

/** The latest change of a name. `resource` is undefined after its removal. */
export interface Mark {
  readonly revision: number;
  readonly cause: Cause;
  /** The revision that added it: a stream at an older revision never had it. */
  readonly addedRevision: number;
  /** The revision that last changed its content. */
  readonly changedRevision: number;
  readonly resource: EncodedResource | undefined;
  /** Its last content, also after its removal: a cluster must outlive the routes that name it. */
  readonly last: EncodedResource;
}

/**
 * The latest changes by name, in order of first appearance. Nearly all resources of a class came with its
 * first change and are as they were: of these the resource alone is kept.
 */
export class Marks {
  readonly #kept = new Map<string, Mark | EncodedResource>();
  /** The first change. */
  #first: Pick<Mark, 'revision' | 'cause'> | undefined;

  get size(): number {
    return this.#kept.size;
  }

  get(name: string): Mark | undefined {
    const kept = this.#kept.get(name);
    return kept === undefined ? undefined : this.#markOf(kept);
  }

  /** The resource of a name, if it exists. */
  resource(name: string): EncodedResource | undefined {
    const kept = this.#kept.get(name);
    return kept === undefined || isMark(kept) ? kept?.resource : kept;
  }

  set(name: string, mark: Mark): void {
    const { revision, cause, addedRevision, resource } = mark;
    this.#first ??= { revision, cause };
    const isFirst = revision === this.#first.revision && cause === this.#first.cause;
    this.#kept.set(name, isFirst && addedRevision === revision && resource ? resource : mark);
  }

  delete(name: string): void {
    this.#kept.delete(name);
  }

  keys(): IterableIterator<string> {
    return this.#kept.keys();
  }

  /** All resources that exist. */
  *resources(): Iterable<EncodedResource> {
    for (const kept of this.#kept.values()) {
      const resource = isMark(kept) ? kept.resource : kept;
      if (resource !== undefined) yield resource;
    }
  }

  *[Symbol.iterator](): IterableIterator<readonly [name: string, mark: Mark]> {
    for (const [name, kept] of this.#kept) yield [name, this.#markOf(kept)];
  }

  #markOf(kept: Mark | EncodedResource): Mark {
    if (isMark(kept)) return kept;
    const { revision, cause } = this.#first as Pick<Mark, 'revision' | 'cause'>;
    const at = { revision, cause, addedRevision: revision, changedRevision: revision };
    return { ...at, resource: kept, last: kept };
  }
}

function isMark(kept: Mark | EncodedResource): kept is Mark {
  return 'addedRevision' in kept;
}
