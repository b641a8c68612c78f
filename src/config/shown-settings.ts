import { variableOf } from './option.ts';
import { type Origin, type Setting, showOrigin } from './setting.ts';
import type { FileValue } from './value-kind.ts';

/** An option in force, as `isthmus config print -o json` and a control plane show it. */
interface ShownOption {
  readonly name: string;
  /** In the file's form; null: none. */
  readonly value: FileValue | null;
  readonly default: FileValue | null;
  readonly from: Origin['from'];
  /** `FILE:LINE`, the flag, or the variable. */
  readonly at: string | null;
  readonly flag: string;
  readonly variable: string;
}

/** The options in force, with the origin of each value. No value is a secret: those are in files. */
export function shownOptions(settings: readonly Setting[]): readonly ShownOption[] {
  return settings.map((setting) => {
    const { name, row, origin } = setting;
    const { byDefault, kind, flag } = row;
    return {
      name,
      value: fileValue(setting) ?? null,
      default: byDefault === undefined ? null : kind.toFile(kind.fromText(byDefault)),
      from: origin.from,
      at: origin.from === 'default' ? null : showOrigin(origin),
      flag,
      variable: variableOf(setting),
    };
  });
}

/** A value in the file's form; undefined: none. */
export function fileValue({ value, row }: Setting): FileValue | undefined {
  return value === undefined ? undefined : row.kind.toFile(value);
}
