import { isAbsolute, join, resolve } from 'node:path';
import { MeshError } from '../base/error.ts';
import { idcNamePattern, readIdcName } from '../model/idc.ts';
import { durationPattern } from '../model/values/duration.ts';
import { readLabelSelector } from '../model/values/label-selector.ts';
import { type ListenAddress, showAddress } from '../model/values/listen-address.ts';
import { addressPattern, readAddress, readAddresses, withoutTwins } from './address.ts';
import { type DurationRange, readDuration, showDuration } from './duration.ts';

/** A value in a file. */
export type FileValue = string | number | boolean | readonly string[];

/** The accepted form of an option in a file, and the error for any other. */
export type Shape = { readonly error: string } & (
  | { readonly type: 'text'; readonly pattern?: string }
  | { readonly type: 'integer'; readonly min: number; readonly max: number }
  | { readonly type: 'choice'; readonly values: readonly string[] }
  | { readonly type: 'switch' }
  | { readonly type: 'list'; readonly of: Shape }
);

/** How values of one kind are written and read. */
export interface ValueKind<T> {
  /** Placeholder in the help, such as `<host:port>`. */
  readonly placeholder: string;
  /** All values, if few. */
  readonly choices?: readonly string[];
  /** The range, as text; '' if the placeholder says it. */
  readonly range: string;
  /** The form in a file; `fromFile` checks what it cannot express. */
  readonly shape: Shape;
  /**
   * Parses the text of a flag or an environment variable; `before`: the result of an earlier occurrence of
   * the flag. Throws MeshError `invalid`.
   */
  fromText(text: string, before?: T): T;
  /** Converts a value of this form; relative paths are relative to `folder`. Throws MeshError `invalid`. */
  fromFile(raw: unknown, folder: string): T;
  /** The value in the file's form. */
  toFile(value: T): FileValue;
}

/** A kind whose value in a file is the flag's text. */
function textKind<T>(
  kind: Pick<ValueKind<T>, 'placeholder'> & {
    readonly range?: string;
    readonly choices?: readonly string[];
    /** For the JSON Schema. */
    readonly pattern?: string;
    /** Description of a value, such as `a duration such as 15s`. */
    readonly what: string;
    readonly read: (text: string) => T;
    readonly show: (value: T) => string;
  },
): ValueKind<T> {
  const { pattern } = kind;
  return {
    placeholder: kind.placeholder,
    range: kind.range ?? '',
    ...(kind.choices && { choices: kind.choices }),
    shape: { type: 'text', error: `must be ${kind.what}.`, ...(pattern === undefined ? {} : { pattern }) },
    fromText: (text) => kind.read(text),
    fromFile: (raw) => kind.read(String(raw)),
    toFile: kind.show,
  };
}

function fault(message: string): MeshError {
  return new MeshError('invalid', message);
}

function same(text: string): string {
  return text;
}

/** The name of an IDC. */
export const idcName: ValueKind<string> = textKind({
  ...{ placeholder: '<name>', range: '1 to 32 of a-z, 0-9 and -', what: 'the name of an IDC', show: same },
  ...{ pattern: idcNamePattern.source, read: readIdcName },
});

/** A name that somebody else gives. */
export const plainName: ValueKind<string> = textKind({
  ...{ placeholder: '<name>', range: 'a name', what: 'a name', pattern: '.', show: same },
  read(text) {
    if (text.trim() === '') throw fault('give a name, not nothing.');
    return text;
  },
});

/** A selector of labels of Kubernetes. */
export const labelSelector: ValueKind<string> = textKind({
  ...{ placeholder: '<selector>', range: 'a selector of labels', what: 'a selector of labels', pattern: '.' },
  ...{ read: readLabelSelector, show: same },
});

/** An address to listen on. */
export const address: ValueKind<ListenAddress> = textKind({
  ...{ placeholder: '<host:port>', what: "an address such as '127.0.0.1:15010'", pattern: addressPattern },
  ...{ range: 'an IP address and a port, 0 to 65535', read: readAddress, show: showAddress },
});

/** Addresses: a list in a file; as text comma-separated, and a flag may be repeated. */
export const addresses: ValueKind<readonly ListenAddress[]> = {
  placeholder: '<host:port>',
  range: 'IP addresses and ports',
  shape: { type: 'list', of: address.shape, error: 'must be a list of addresses.' },
  fromText: (text, before) => readAddresses(text, before),
  fromFile: (raw) => withoutTwins((raw as readonly string[]).map((one) => readAddress(one))),
  toFile: (list) => list.map(showAddress),
};

/** A duration, as milliseconds. */
export function durationKind(range: DurationRange): ValueKind<number> {
  return textKind({
    ...{ placeholder: '<duration>', what: "a duration such as '15s'", pattern: durationPattern.source },
    range: `${showDuration(range.minMs)} to ${showDuration(range.maxMs)}`,
    read: (text) => readDuration(text, range),
    show: showDuration,
  });
}

/** A whole number of `unit`, from `min` to `max`. */
export function integer(min: number, max: number, unit: string): ValueKind<number> {
  return {
    placeholder: '<n>',
    range: `${min} to ${max} ${unit}`,
    shape: { type: 'integer', min, max, error: `must be a whole number from ${min} to ${max}.` },
    fromText(text) {
      const number = Number(text);
      if (/^\d+$/.test(text) && number >= min && number <= max) return number;
      throw fault(`give ${min} to ${max}, not '${text}'.`);
    },
    fromFile: (raw) => raw as number,
    toFile: (number) => number,
  };
}

/** One of some strings. */
export function choice<T extends string>(values: readonly [T, ...T[]]): ValueKind<T> {
  const error = `must be one of ${values.join(', ')}.`;
  const read = (text: string): T => {
    const found = values.find((value) => value === text);
    if (found === undefined) throw fault(`give one of ${values.join(', ')}, not '${text}'.`);
    return found;
  };
  return {
    ...{
      placeholder: '<word>',
      range: values.join(', '),
      choices: values,
      shape: { type: 'choice', values, error },
    },
    ...{ fromText: read, fromFile: (raw) => read(String(raw)), toFile: same },
  };
}

/** A switch: `on` or `off` as text, true or false in a file. */
export const onOff: ValueKind<boolean> = {
  ...{ placeholder: '<on|off>', range: 'true or false; as a flag on or off', choices: ['on', 'off'] },
  shape: { type: 'switch', error: 'must be true or false.' },
  fromText(text) {
    if (text === 'on' || text === 'off') return text === 'on';
    throw fault(`give one of on, off, not '${text}'.`);
  },
  fromFile: (raw) => raw as boolean,
  toFile: (value) => value,
};

/** A file or folder. In a file it is relative to the folder of that file. */
export function path(placeholder: '<file>' | '<dir>'): ValueKind<string> {
  const what = placeholder === '<file>' ? 'the path of a file' : 'the path of a folder';
  const read = (text: string): string => {
    if (text === '') throw fault('is empty: give a path, or leave it out.');
    if (/\p{Cc}/u.test(text)) throw fault('has a control character: correct it.');
    return text;
  };
  return {
    ...textKind({ placeholder, what, range: what, read, show: same }),
    fromFile: (raw, folder) => {
      const [scheme, rest] = schemeAndPath(read(String(raw)));
      return `${scheme}${isAbsolute(rest) ? rest : join(folder, rest)}`;
    },
    // Absolute: it means the same in a file of any folder.
    toFile: (value) => {
      const [scheme, rest] = schemeAndPath(value);
      return `${scheme}${resolve(rest)}`;
    },
  };
}

/** A scheme such as `files:`, which stays a prefix, and the path after it. */
function schemeAndPath(text: string): [scheme: string, path: string] {
  const [, scheme = '', path = ''] = /^([a-z][a-z0-9+-]+:)?(.*)$/s.exec(text) ?? [];
  return [scheme, path];
}
