import { isMap, type RawMap } from '../../base/raw-map.ts';
import { didYouMean } from '../../base/text/suggest.ts';
import type { FindingCode } from '../../model/finding-codes.ts';
import type { Labels } from '../../model/meta.ts';
import { durationMeant, parseDurationMs } from '../../model/values/duration.ts';
import type { PathPart } from '../../model/values/field-path.ts';
import { type Fault, show } from './fault.ts';

/** The fields of a message: name → '' if supported, else the consequence of not being supported. */
export type FieldTable = Readonly<Record<string, string>>;

/**
 * Reads a mapping of an Istio object, field by field. Each reader returns the value, or undefined if the
 * field is absent, null or invalid; errors go to the object's common list, so that all are found at once.
 * Paths are built only for errors: 60,000 objects are parsed at a start.
 */
export class Fields {
  readonly raw: RawMap;
  readonly #faults: Fault[];
  readonly #parent: Fields | undefined;
  readonly #steps: readonly PathPart[];

  constructor(raw: RawMap, faults: Fault[], steps: readonly PathPart[] = [], parent?: Fields) {
    this.raw = raw;
    this.#faults = faults;
    this.#parent = parent;
    this.#steps = steps;
  }

  /** The path of this mapping, or of `steps` below it. */
  path(...steps: PathPart[]): PathPart[] {
    return [...(this.#parent?.path() ?? []), ...this.#steps, ...steps];
  }

  /** A value that is not taken. */
  error(message: string, ...steps: PathPart[]): void {
    this.fault('InvalidField', 'error', message, ...steps);
  }

  /** A value that is not supported, or is read otherwise than it was written. */
  warn(message: string, ...steps: PathPart[]): void {
    this.fault('UnsupportedField', 'warning', message, ...steps);
  }

  /** A field that must be there. */
  missing(message: string, ...steps: PathPart[]): void {
    this.fault('MissingField', 'error', message, ...steps);
  }

  /** A field that nobody knows. */
  unknown(message: string, ...steps: PathPart[]): void {
    this.fault('UnknownField', 'error', message, ...steps);
  }

  fault(code: FindingCode, severity: Fault['severity'], message: string, ...steps: PathPart[]): void {
    this.#faults.push({ code, severity, path: this.path(...steps), message });
  }

  /** Whether the field is there and not null. */
  has(key: string): boolean {
    return this.raw[key] !== undefined && this.raw[key] !== null;
  }

  string(key: string): string | undefined {
    const value = this.raw[key];
    if (value === undefined || value === null) return undefined;
    if (typeof value === 'string') return value;
    this.error(`must be text, not ${show(value)}: put it in quotes.`, key);
    return undefined;
  }

  /** A required, non-empty string; `example` is shown if it is missing. */
  required(key: string, example: string): string | undefined {
    const value = this.string(key);
    if (value === '' || (value === undefined && !this.has(key))) {
      this.missing(`is required: give ${example}.`, key);
      return undefined;
    }
    return value;
  }

  integer(key: string, min: number, max: number): number | undefined {
    return this.#number(this.raw[key], min, max, key);
  }

  boolean(key: string): boolean | undefined {
    const value = this.raw[key];
    if (value === undefined || value === null) return undefined;
    if (typeof value === 'boolean') return value;
    this.error(`must be true or false, not ${show(value)}.`, key);
    return undefined;
  }

  /** Milliseconds of a duration of at least `msMin`. */
  duration(key: string, msMin: number): number | undefined {
    const text = this.raw[key];
    if (text === undefined || text === null) return undefined;
    const ms = typeof text === 'string' ? parseDurationMs(text) : undefined;
    if (ms === undefined) {
      this.error(
        `${show(text)} is not a duration: give one like '1.5s', '250ms' or '1h5m'.${durationMeant(text)}`,
        key,
      );
      return undefined;
    }
    if (ms >= msMin) return ms;
    this.error(`${text} is too short: give at least ${msMin}ms.`, key);
    return undefined;
  }

  oneOf<T extends string>(key: string, values: readonly T[]): T | undefined {
    const text = this.string(key);
    if (text === undefined) return undefined;
    const found = values.find((value) => value === text);
    if (found === undefined) {
      const hint = didYouMean(text, values);
      this.error(`${show(text)} is not one of ${values.join(', ')}.${hint}`, key);
    }
    return found;
  }

  /** A nested mapping; absent and null give undefined. */
  map(key: string): Fields | undefined {
    const value = this.raw[key];
    if (value === undefined || value === null) return undefined;
    if (isMap(value)) return new Fields(value, this.#faults, [key], this);
    this.error(`must be a mapping, not ${show(value)}.`, key);
    return undefined;
  }

  list(key: string): readonly unknown[] {
    const value = this.raw[key];
    if (value === undefined || value === null) return [];
    if (Array.isArray(value)) return value;
    this.error(`must be a list, not ${show(value)}: write each item on a line of its own, after '- '.`, key);
    return [];
  }

  /** The mappings of a list. */
  maps(key: string): Fields[] {
    const found: Fields[] = [];
    for (const [index, value] of this.list(key).entries()) {
      if (isMap(value)) found.push(new Fields(value, this.#faults, [key, index], this));
      else this.error(`must be a mapping, not ${show(value)}.`, key, index);
    }
    return found;
  }

  /** The strings of a list with their indices; empty ones are errors. */
  strings(key: string): { text: string; index: number }[] {
    const found: { text: string; index: number }[] = [];
    for (const [index, value] of this.list(key).entries()) {
      if (typeof value === 'string' && value !== '') found.push({ text: value, index });
      else if (value === '') this.error('is empty: remove it, or fill it in.', key, index);
      else this.error(`must be text, not ${show(value)}: put it in quotes.`, key, index);
    }
    return found;
  }

  /** A mapping of strings, such as labels. */
  labels(key: string): Labels {
    const inside = this.map(key);
    if (inside === undefined) return {};
    const found: [string, string][] = [];
    for (const [name, value] of Object.entries(inside.raw)) {
      if (typeof value === 'string') found.push([name, value]);
      else inside.error(`must be text, not ${show(value)}: put it in quotes.`, name);
    }
    // fromEntries, not assignment: a label may be named __proto__.
    return Object.fromEntries(found);
  }

  /** A mapping of strings to integers. */
  integers(key: string, min: number, max: number): Readonly<Record<string, number>> {
    const inside = this.map(key);
    if (inside === undefined) return {};
    const found: [string, number][] = [];
    for (const [name, value] of Object.entries(inside.raw)) {
      const number = inside.#number(value, min, max, name);
      if (number !== undefined) found.push([name, number]);
    }
    return Object.fromEntries(found);
  }

  /** Warns of unsupported fields, and of those not in `table`. Call once. */
  checkKnown(table: FieldTable): void {
    for (const key in this.raw) {
      const words = Object.hasOwn(table, key) ? table[key] : undefined;
      if (words === '' || this.raw[key] === null) continue;
      if (words !== undefined) this.warn(`is not supported: ${words}`, key);
      else
        this.fault(
          'UnknownField',
          'warning',
          `unknown field, ignored.${didYouMean(key, Object.keys(table))}`,
          key,
        );
    }
  }

  #number(value: unknown, min: number, max: number, key: string): number | undefined {
    if (value === undefined || value === null) return undefined;
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    const quotes = typeof value === 'string' && /^[0-9]+$/.test(value) ? ', without quotes' : '';
    this.error(`must be a whole number from ${min} to ${max}${quotes}, not ${show(value)}.`, key);
    return undefined;
  }
}
