/** More values than this are not remembered: then all are forgotten, and remembered anew. */
const sharedMax = 4_096;

/** Gives equal plain values as one object, so that what thousands have alike is kept once. */
export class SharedValues {
  readonly #known = new Map<string, object>();

  /**
   * The first value that equals this one, or this one; it must not be changed afterwards. `kind` tells values
   * apart that may look alike. Infinity counts as null, of which plain values have none.
   */
  share<T extends object>(kind: string, value: T): T {
    const key = `${kind} ${JSON.stringify(value)}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known as T;
    if (this.#known.size >= sharedMax) this.#known.clear();
    this.#known.set(key, value);
    return value;
  }
}
