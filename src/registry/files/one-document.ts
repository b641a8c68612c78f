import type { PathPart } from '../../model/values/field-path.ts';
import { loadDocument, locatePaths, type Position, splitDocuments, YamlFault } from './yaml.ts';
import { yamlLimits } from './yaml-limits.ts';

/** Size limits of a file in bytes: up to which positions are exact, and more than is parsed at all. */
export const oneDocumentBytesMax = {
  located: yamlLimits.locatedMax,
  whole: 4 * yamlLimits.documentMax,
} as const;

/** A file of one YAML document, such as a configuration. */
interface OneDocument {
  readonly raw: unknown;
  /** The positions of fields in the file; for a missing field, where it should be. */
  placesOf(paths: readonly (readonly PathPart[])[]): readonly Position[];
}

/** Why a file is not one YAML document, and the position in the file. */
interface NotOneDocument extends Position {
  readonly fault: string;
}

/** Parses a file of one YAML document. `words`: the faults of a file without one, and of a second one. */
export function readOneDocument(
  text: string,
  words: { readonly none: string; readonly second: string },
): OneDocument | NotOneDocument {
  const [document, second] = splitDocuments(text);
  if (document === undefined) return { fault: words.none, line: 1, column: 1 };
  if (second !== undefined) return { fault: words.second, line: second.line, column: 1 };
  const inFile = ({ line, column }: Position) => ({ line: line + document.line - 1, column });
  try {
    const raw = loadDocument(document.text);
    return { raw, placesOf: (paths) => locatePaths(document.text, paths).map(inFile) };
  } catch (reason) {
    if (!(reason instanceof YamlFault)) throw reason;
    return { fault: `is not YAML: ${reason.message}`, ...inFile(reason.position) };
  }
}
