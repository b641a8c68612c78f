import { MeshError } from '../../base/error.ts';

/** `prefix/name`, as Kubernetes has keys of labels; the prefix is a DNS name. */
const key = String.raw`(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?`;
/** A value; it may be empty. */
const value = String.raw`(?:[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?)?`;
const values = String.raw`\(\s*${value}\s*(?:,\s*${value}\s*)*\)`;
/** `key`, `!key`, `key=value`, `key==value`, `key!=value`, `key in (a,b)`, `key notin (a,b)`. */
const requirement = `(?:!\\s*${key}|${key}(?:\\s*(?:==?|!=)\\s*${value}|\\s+(?:not)?in\\s*${values})?)`;

const selectorPattern = new RegExp(`^\\s*${requirement}\\s*(?:,\\s*${requirement}\\s*)*$`);

/** Longest selector: it is a part of each request. */
const selectorLengthMax = 2_000;

/**
 * A selector of labels, as `kubectl -l` has it, without spaces around it. The API server applies it; what it
 * would refuse is refused here. Throws MeshError `invalid`.
 */
export function readLabelSelector(text: string): string {
  if (text.length > selectorLengthMax)
    throw new MeshError('invalid', `give at most ${selectorLengthMax} characters, not ${text.length}.`);
  if (selectorPattern.test(text)) return text.trim();
  const forms = "'key=value', 'key!=value', 'key in (a,b)', 'key notin (a,b)', 'key', '!key'";
  throw new MeshError(
    'invalid',
    `'${text}' is not a selector of labels: give ${forms}, or several with commas.`,
  );
}
