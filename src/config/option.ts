import type { ValueKind } from './value-kind.ts';

/** Whether an option has a value in every configuration. */
type Presence = 'always' | 'maybe';

/** An option, the source of the command line, the file, its schema and the docs. */
export interface OptionRow<T, P extends Presence> {
  readonly kind: ValueKind<T>;
  /** The long flag, such as `--xds`. */
  readonly flag: `--${string}`;
  readonly presence: P;
  /** As flag text. Absent: no default. */
  readonly byDefault?: string;
  /** For a default derived from another option. */
  readonly derived?: Derived<T>;
  /** Description for the help, the schema and the docs. */
  readonly words: string;
  /** The reason for the default, in Markdown, for the docs. */
  readonly why: string;
}

/** A default derived from another option; none while that has no value. */
interface Derived<T> {
  /** The other option's path. */
  readonly from: string;
  readonly of: (other: string) => T;
  /** Its description, in Markdown. */
  readonly words: string;
}

/** A group of options, or of groups. */
export interface OptionGroup<R extends OptionTree> {
  readonly words: string;
  readonly options: R;
}

/** Options and groups, by their names in the file. */
export interface OptionTree {
  readonly [name: string]: OptionRow<unknown, Presence> | OptionGroup<OptionTree>;
}

/** The values of a tree. */
export type ValuesOf<R> = {
  readonly [K in keyof R]: R[K] extends OptionRow<infer T, infer P>
    ? P extends 'always'
      ? T
      : T | undefined
    : R[K] extends OptionGroup<infer Inner>
      ? ValuesOf<Inner>
      : never;
};

type Words = Pick<OptionRow<unknown, Presence>, 'flag' | 'words'> & { readonly why?: string };

/** An option with a default. */
export function option<T>(
  kind: ValueKind<T>,
  row: Words & { readonly byDefault: string },
): OptionRow<T, 'always'> {
  return { kind, presence: 'always', why: '', ...row };
}

/** An option that must be given. */
export function required<T>(kind: ValueKind<T>, row: Words): OptionRow<T, 'always'> {
  return { kind, presence: 'always', why: '', ...row };
}

/** An option without default. */
export function optional<T>(
  kind: ValueKind<T>,
  row: Words & { readonly derived?: Derived<T> },
): OptionRow<T, 'maybe'> {
  return { kind, presence: 'maybe', why: '', ...row };
}

/** A group of options. */
export function group<R extends OptionTree>(words: string, options: R): OptionGroup<R> {
  return { words, options };
}

/** Whether it is a group. */
export function isGroup(
  node: OptionRow<unknown, Presence> | OptionGroup<OptionTree>,
): node is OptionGroup<OptionTree> {
  return 'options' in node;
}

/** An option with its path. */
export interface PlacedOption {
  /** From the root of the file. */
  readonly path: readonly string[];
  /** The same as text: `xds.listen`. */
  readonly name: string;
  readonly row: OptionRow<unknown, Presence>;
}

/** All options of a tree, in its order. */
export function listOptions(tree: OptionTree, above: readonly string[] = []): readonly PlacedOption[] {
  return Object.entries(tree).flatMap(([key, node]): readonly PlacedOption[] => {
    const path = [...above, key];
    return isGroup(node) ? listOptions(node.options, path) : [{ path, name: path.join('.'), row: node }];
  });
}

/** Prefix of options' environment variables. */
export const variablePrefix = 'ISTHMUS_SERVE_';

/** The environment variable of an option: `peers.startLimit` is ISTHMUS_SERVE_PEERS_START_LIMIT. */
export function variableOf({ path }: Pick<PlacedOption, 'path'>): string {
  const words = path.map((part) => part.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase());
  return `${variablePrefix}${words.join('_')}`;
}
