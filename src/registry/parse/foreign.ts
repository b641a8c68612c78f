import type { RawMap } from '../../base/raw-map.ts';
import { closest } from '../../base/text/suggest.ts';

/**
 * The kind of a foreign document: an object of another API group, as files may contain beside Istio's
 * (Namespace, Deployment, a custom resource), or a Kustomize file. Undefined if it may be meant for Isthmus:
 * its group or kind is similar to one that Isthmus reads.
 */
export function foreignKind(raw: RawMap, kinds: readonly string[]): string | undefined {
  const { apiVersion, kind } = raw;
  if (kind === undefined && apiVersion === undefined)
    return Array.isArray(raw.resources) || Array.isArray(raw.bases) ? 'Kustomization' : undefined;
  if (typeof apiVersion !== 'string' || typeof kind !== 'string' || kind === '') return undefined;
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
  const isOurs = group === 'networking.istio.io' || group === 'isthmus.dev';
  return isOurs || closest(kind, kinds) !== undefined ? undefined : kind;
}

const placeholders: readonly { readonly pattern: RegExp; readonly words: string }[] = [
  {
    pattern: /\{\{-?\s*[^{}\s][^{}]*\}\}/,
    words: 'is a template that was not rendered: replace it by the output of `helm template` or the like',
  },
  {
    pattern: /\$\{[A-Za-z_][^{}]*\}/,
    words: 'is a placeholder that was not filled in: put the value here',
  },
];

/** The first template placeholder in a text, with its position and what to do. */
export function placeholderIn(text: string): { readonly at: number; readonly message: string } | undefined {
  for (const { pattern, words } of placeholders) {
    const found = pattern.exec(text);
    if (found === null) continue;
    const short = found[0].length > 60 ? `${found[0].slice(0, 57)}...` : found[0];
    return { at: found.index, message: `${short} ${words}.` };
  }
  return undefined;
}
