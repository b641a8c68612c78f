import { dirname } from 'node:path';
import { MeshError } from '../base/error.ts';
import { readBounded } from '../base/files/bounded-file.ts';
import { type Decoded, decodeText } from '../base/files/encoding.ts';
import { isMap } from '../base/raw-map.ts';
import { describeSystemError } from '../base/system-error.ts';
import { printable } from '../base/text/safe-excerpt.ts';
import { configKind, ownApiVersion } from '../model/values/api-version.ts';
import { type PathPart, renderPath } from '../model/values/field-path.ts';
import { oneDocumentBytesMax, readOneDocument } from '../registry/files/one-document.ts';
import { type Fault, show } from '../registry/parse/fault.ts';
import { parseStrict } from '../registry/parse/own/parse-strict.ts';
import { optionList } from './options.ts';
import { configSchema, schemaOf } from './schema.ts';
import type { Given } from './setting.ts';

/** The values of a file, and its errors. */
export interface ConfigFile {
  /** By the option's name. */
  readonly values: ReadonlyMap<string, Given>;
  /** `FILE:LINE:COLUMN: error: PATH: MESSAGE`, like a compiler's. */
  readonly faults: readonly string[];
}

/** Reads and validates a file. Throws MeshError `unavailable` if it cannot be read. */
export function readConfigFile(file: string): ConfigFile {
  let decoded: Decoded;
  try {
    decoded = decodeText(readBounded(file, oneDocumentBytesMax.located));
  } catch (cause) {
    throw new MeshError('unavailable', `${file} cannot be read: ${describeSystemError(cause)}`, { cause });
  }
  if ('text' in decoded) return parseConfigFile(decoded.text, file);
  const message = `the encoding is ${decoded.encoding}: save it as UTF-8.`;
  return { values: new Map(), faults: [`${file}:1:1: error: ${message}`] };
}

/**
 * Parses and validates a file's text. `file`: its name in messages; relative paths start at its folder. Never
 * throws.
 */
export function parseConfigFile(text: string, file: string): ConfigFile {
  const document = readOneDocument(text, {
    none: `is empty: a file begins with apiVersion: ${ownApiVersion}, kind: ${configKind}.`,
    second: 'holds a second document: a configuration is one.',
  });
  if ('fault' in document) {
    const { line, column, fault } = document;
    return { values: new Map(), faults: [`${file}:${line}:${column}: error: ${fault}`] };
  }
  const { raw } = document;
  const faults: Fault[] = [...headFaults(raw)];
  const read = faults.length === 0 ? readOptions(raw, dirname(file), faults) : [];
  const places = document.placesOf([...faults, ...read].map(({ path }) => path));
  const placeAt = (index: number) => places[index] ?? { line: 1, column: 1 };
  const told = faults.map(({ severity, path, message }, i) => {
    const at = path.length === 0 ? '' : `${renderPath(path)}: `;
    return { ...placeAt(i), words: `${severity}: ${at}${message}` };
  });
  return {
    values: new Map(
      read.map(({ name, value }, i) => {
        return [name, { value, origin: { from: 'file', file, line: placeAt(faults.length + i).line } }];
      }),
    ),
    faults: told
      .sort((a, b) => a.line - b.line || a.column - b.column)
      .map(({ line, column, words }) => printable(`${file}:${line}:${column}: ${words}`)),
  };
}

/** Errors of the header; without a known version nothing else is checked. */
function headFaults(raw: unknown): readonly Fault[] {
  const error = (message: string, ...path: PathPart[]): Fault[] => [{ severity: 'error', path, message }];
  if (!isMap(raw)) return error(`must be a mapping with apiVersion, kind and options, not ${show(raw)}.`);
  const { apiVersion, kind } = raw;
  if (kind === undefined) return error(`is required: write kind: ${configKind}.`, 'kind');
  if (kind !== configKind)
    return error(
      `${show(kind)} is not a configuration: write ${configKind} here. Registry objects belong in the folder of registry.folder.`,
      'kind',
    );
  if (apiVersion === undefined)
    return error(`is required: write apiVersion: ${ownApiVersion}.`, 'apiVersion');
  if (apiVersion !== ownApiVersion)
    return error(
      `${show(apiVersion)} is not known to this version of Isthmus, and nothing of the file is used: it reads ${ownApiVersion}. Rewrite the file for that, or run an Isthmus that reads it.`,
      'apiVersion',
    );
  return [];
}

/** The valid values of a file; errors of others are added to `faults`. */
function readOptions(raw: unknown, folder: string, faults: Fault[]) {
  parseStrict(configSchema, raw, [], faults);
  return optionList.flatMap(({ path, name, row: { kind } }) => {
    const written = path.reduce<unknown>(
      (inner, key) => (isMap(inner) && Object.hasOwn(inner, key) ? inner[key] : undefined),
      raw,
    );
    // Invalid values are reported already.
    if (written === undefined || !schemaOf(kind.shape).safeParse(written).success) return [];
    try {
      return [{ path, name, value: kind.fromFile(written, folder) }];
    } catch (reason) {
      faults.push({ severity: 'error', path, message: MeshError.from(reason).message });
      return [];
    }
  });
}
