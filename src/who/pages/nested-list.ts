import { MeshError } from '../../base/error.ts';

/** The form of a page: `{"LIST": [{"INNER": [ITEM, …], …}, …], …}`. */
interface PageForm {
  readonly list: string;
  readonly inner: string;
  /** Told of each item of an inner list, and of the fields that its object had until there. */
  onItem(item: unknown, fields: Fields): void;
  /** Told of each object of the list when it is whole, with all its fields but the inner list. */
  onObject(fields: Fields): void;
  /** The error of a page that has another form. */
  readonly otherwise: string;
}

/** Fields of an object by name. */
type Fields = ReadonlyMap<string, unknown>;

/** Whoever answers may be no Envoy: limits of one page. */
export const pageLimits = {
  /** Bytes of one item, field or key. */
  valueBytesMax: 65_536,
  /** Fields of an object, and of the page. */
  fieldsMax: 100,
  /** Objects and items. */
  countMax: 400_000,
} as const;

const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a];
const [openObject, closeObject, openList, closeList] = [0x7b, 0x7d, 0x5b, 0x5d];

/** What is open: the page's object, its list, an object of that, its inner list. */
type Level = 'start' | 'page' | 'list' | 'object' | 'inner' | 'end';

/**
 * Reads a page of JSON part by part, as it arrives. Only single fields and items are parsed as a whole, each
 * of limited size: `JSON.parse` of all would hold everything else up, for seconds where an answer of 32 MiB
 * is of small objects, and take gigabytes.
 */
export class NestedList {
  readonly #form: PageForm;
  #level: Level = 'start';
  #hasList = false;
  #fields = new Map<string, unknown>();
  #count = 0;
  /** The key whose value comes next. */
  #key: string | undefined;
  /** Of the value that is being read: its bytes of earlier parts, and how far they go. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  #kind: 'none' | 'string' | 'container' | 'scalar' = 'none';
  #depth = 0;
  #isInString = false;
  #isEscaped = false;

  constructor(form: PageForm) {
    this.#form = form;
  }

  /** Reads a part. Throws MeshError `invalid` for a page of another form, `exhausted` beyond a limit. */
  push(part: Buffer): void {
    let from = 0;
    for (let at = 0; at < part.length; at += 1) {
      const byte = part[at] as number;
      if (this.#kind === 'none') {
        if (this.#isBeginning(byte)) from = at;
      } else if (this.#isLast(byte)) {
        this.#take(part.subarray(from, at + 1));
      } else if (this.#kind === 'scalar' && isAfterScalar(byte)) {
        this.#take(part.subarray(from, at));
        this.#isBeginning(byte);
      }
    }
    if (this.#kind !== 'none') this.#hold(part.subarray(from));
  }

  /** The page is over: whether it had the list. Throws MeshError `invalid` if it is not whole. */
  end(): boolean {
    if (this.#level !== 'end') throw this.#otherwise();
    return this.#hasList;
  }

  /** What a byte between values means; true: a value begins with it that is read as a whole. */
  #isBeginning(byte: number): boolean {
    if (byte === comma || byte === colon || byte <= 0x20) return false;
    if (this.#level === 'end') throw this.#otherwise();
    if (byte === closeObject || byte === closeList) return this.#close(byte);
    if (this.#isOpening(byte)) return false;
    if (this.#level === 'start' || this.#level === 'list') throw this.#otherwise();
    const isKey = (this.#level === 'page' || this.#level === 'object') && this.#key === undefined;
    if (isKey && byte !== quote) throw this.#otherwise();
    const isContainer = byte === openObject || byte === openList;
    this.#kind = byte === quote ? 'string' : isContainer ? 'container' : 'scalar';
    this.#depth = isContainer ? 1 : 0;
    this.#isInString = byte === quote;
    return true;
  }

  /** Whether a byte opens what is read value by value. */
  #isOpening(byte: number): boolean {
    const { list, inner } = this.#form;
    if (this.#level === 'start' && byte === openObject) this.#level = 'page';
    else if (this.#level === 'page' && byte === openList && this.#key === list) this.#level = 'list';
    else if (this.#level === 'list' && byte === openObject) this.#level = 'object';
    else if (this.#level === 'object' && byte === openList && this.#key === inner) this.#level = 'inner';
    else return false;
    this.#key = undefined;
    if (this.#level === 'list') this.#hasList = true;
    if (this.#level === 'object') this.#fields = new Map();
    return true;
  }

  #close(byte: number): false {
    const level = this.#level;
    if (this.#key !== undefined || (byte === closeObject) !== (level === 'page' || level === 'object'))
      throw this.#otherwise();
    if (level === 'object') {
      this.#countOne();
      this.#form.onObject(this.#fields);
    }
    const above = { page: 'end', list: 'page', object: 'list', inner: 'object' } as const;
    this.#level = above[level as keyof typeof above];
    return false;
  }

  /** Whether a value ends with this byte. */
  #isLast(byte: number): boolean {
    if (this.#isEscaped) {
      this.#isEscaped = false;
      return false;
    }
    if (this.#isInString) {
      if (byte === backslash) this.#isEscaped = true;
      if (byte !== quote) return false;
      this.#isInString = false;
      return this.#kind === 'string';
    }
    if (this.#kind !== 'container') return false;
    if (byte === quote) this.#isInString = true;
    else if (byte === openObject || byte === openList) this.#depth += 1;
    else if (byte === closeObject || byte === closeList) this.#depth -= 1;
    return this.#depth === 0;
  }

  /** A value is whole, up to these bytes. */
  #take(last: Buffer): void {
    this.#hold(last);
    const [first] = this.#held;
    const bytes = this.#held.length === 1 && first !== undefined ? first : Buffer.concat(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    this.#kind = 'none';
    let value: unknown;
    try {
      value = JSON.parse(bytes.toString());
    } catch {
      throw this.#otherwise();
    }
    if (this.#level === 'inner') {
      this.#countOne();
      this.#form.onItem(value, this.#fields);
    } else if (this.#key === undefined) {
      this.#key = value as string;
    } else {
      // A list that is none.
      if (this.#key === (this.#level === 'page' ? this.#form.list : this.#form.inner))
        throw this.#otherwise();
      this.#put(this.#key, value);
      this.#key = undefined;
    }
  }

  #put(key: string, value: unknown): void {
    this.#fields.set(key, value);
    if (this.#fields.size > pageLimits.fieldsMax) throw this.#tooLong();
  }

  #hold(bytes: Buffer): void {
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > pageLimits.valueBytesMax) throw this.#tooLong();
    this.#held.push(bytes);
  }

  #countOne(): void {
    this.#count += 1;
    if (this.#count > pageLimits.countMax) throw this.#tooLong();
  }

  #otherwise(): MeshError {
    return new MeshError('invalid', this.#form.otherwise);
  }

  #tooLong(): MeshError {
    return new MeshError('exhausted', 'its answer is too long');
  }
}

function isAfterScalar(byte: number): boolean {
  return byte === comma || byte === closeObject || byte === closeList || byte <= 0x20;
}
