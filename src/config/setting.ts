import type { PlacedOption } from './option.ts';

/** Where a value comes from. */
export type Origin =
  | { readonly from: 'default' }
  | { readonly from: 'file'; readonly file: string; readonly line: number }
  | { readonly from: 'environment'; readonly variable: string }
  | { readonly from: 'flag'; readonly flag: string };

/** A value that somebody gave, or the default, and where it comes from. */
export interface Given {
  readonly value: unknown;
  readonly origin: Origin;
}

/** An option as it is in force: without a value (undefined) where it has none. */
export interface Setting extends Given, PlacedOption {}

/** An origin in words: `isthmus.yaml:7`, `--xds`, `ISTHMUS_SERVE_IDC`, `default`. */
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
