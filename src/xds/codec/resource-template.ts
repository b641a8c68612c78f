import type { EncodedParts, EncodedResource } from './codec.ts';
import { bytesOf, type Content } from './content.ts';
import { versionOfBytes } from './version-sum.ts';

/** Bytes with a word in them, which may be another one of the same length. */
class WordedBytes {
  readonly bytes: Buffer;
  readonly #places: readonly number[];

  constructor(bytes: Buffer, word: string) {
    this.bytes = bytes;
    const places: number[] = [];
    for (let at = bytes.indexOf(word, 0, 'latin1'); at !== -1; at = bytes.indexOf(word, at, 'latin1')) {
      places.push(at);
      at += word.length;
    }
    this.#places = places;
  }

  get hasWord(): boolean {
    return this.#places.length > 0;
  }

  /** Writes the bytes with this word; returns the place after them. */
  writeTo(target: Buffer, place: number, word: string): number {
    target.set(this.bytes, place);
    for (const at of this.#places)
      for (let i = 0; i < word.length; i += 1) target[place + at + i] = word.charCodeAt(i);
    return place + this.bytes.length;
  }
}

/** The bytes of a template with a word of their own. */
class WordedContent implements Content {
  readonly #template: WordedBytes;
  readonly #word: string;

  constructor(template: WordedBytes, word: string) {
    this.#template = template;
    this.#word = word;
  }

  get length(): number {
    return this.#template.bytes.length;
  }

  writeTo(target: Buffer, place: number): number {
    return this.#template.writeTo(target, place, this.#word);
  }
}

let scratch = Buffer.allocUnsafeSlow(4_096);

/**
 * A resource of which others are made that differ from it in one word alone, such as a host, of the same
 * length: no length within the message changes then. They are neither built nor encoded, and keep the
 * template's bytes and their word.
 */
export class ResourceTemplate<R extends EncodedResource> {
  readonly #resource: R;
  readonly #make: new (
    of: EncodedParts,
  ) => R;
  readonly #word: string;
  readonly #content: WordedBytes;
  readonly #name: readonly string[];

  /**
   * `word`: text of one byte a character; what else the resource says must not have it. `make`: the class of
   * what is made.
   */
  constructor(resource: R, word: string, make: new (of: EncodedParts) => R) {
    this.#resource = resource;
    this.#make = make;
    this.#word = word;
    this.#content = new WordedBytes(bytesOf(resource.content), word);
    this.#name = resource.name.split(word);
  }

  /**
   * The resource with this word in place of the template's. `names`: strings to be used for its name if
   * equal; others are added. Throws RangeError if the word has another length.
   */
  fill(word: string, names: string[] = []): R {
    if (word.length !== this.#word.length)
      throw new RangeError(`'${word}' is not as long as '${this.#word}', whose place it takes`);
    const { typeUrl, refs, content } = this.#resource;
    if (!this.#content.hasWord && this.#name.length === 1) return this.#resource;
    const filled = this.#content.hasWord ? new WordedContent(this.#content, word) : content;
    if (filled.length > scratch.length) scratch = Buffer.allocUnsafeSlow(2 * filled.length);
    filled.writeTo(scratch, 0);
    const name = knownName(this.#name.join(word), names);
    return new this.#make({
      ...{ typeUrl, name, content: filled },
      sum: versionOfBytes(scratch.subarray(0, filled.length)),
      refs: refs.map((ref) => (ref === this.#resource.name ? name : ref.replaceAll(this.#word, word))),
    });
  }
}

/** The same string for equal names: of a cluster and its endpoints, of a scope and its routes. */
function knownName(name: string, names: string[]): string {
  const known = names.find((one) => one === name);
  if (known === undefined) names.push(name);
  return known ?? name;
}
