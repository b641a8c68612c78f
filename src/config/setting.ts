import type { PlacedOption } from './option.ts';

/** The origin of a value. */
export type Origin =
  | { readonly from: 'default' }
  | { readonly from: 'file'; readonly file: string; readonly line: number }
  | { readonly from: 'environment'; readonly variable: string }
  | { readonly from: 'flag'; readonly flag: string };

/** A value, given or default, with its origin. */
export interface Given {
  readonly value: unknown;
  readonly origin: Origin;
}

/** An option in force; undefined if it has no value. */
export interface Setting extends Given, PlacedOption {}

/** An origin as text: `isthmus.yaml:7`, `--xds`, `ISTHMUS_SERVE_IDC`, `default`. */
export function showOrigin(origin: Origin): string {
  switch (origin.from) {
    case 'default':
      return 'default';
    case 'file':
      return `${origin.file}:${origin.line}`;
    case 'environment':
      return origin.variable;
    case 'flag':
      return origin.flag;
  }
}
