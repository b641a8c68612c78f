import { didYouMean } from '../../../base/text/suggest.ts';
import type { PathPart } from '../../../model/values/field-path.ts';

/** Tells a fault of a scenario; the path is from its `spec`. */
export type Add = (message: string, ...path: PathPart[]) => void;

/** What is said of a name that nothing has: what there is, and which of these was probably meant. */
export function noSuchName(what: string, name: string, known: readonly string[]): string {
  if (known.length === 0) return `there is no ${what} '${name}', nor any other.`;
  return `there is no ${what} '${name}': use one of ${known.join(', ')}.${didYouMean(name, known)}`;
}

/** What is wrong with the name of an IDC in a field of a step. */
export function idcFaults(
  name: string,
  idcs: readonly { readonly name: string }[],
  field = 'idc',
): { readonly path: readonly string[]; readonly message: string }[] {
  const known = idcs.map((each) => each.name);
  return known.includes(name) ? [] : [{ path: [field], message: noSuchName('IDC', name, known) }];
}
