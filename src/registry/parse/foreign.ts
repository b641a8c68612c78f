import { closest } from '../../base/suggest.ts';
import type { RawMap } from './fields.ts';

/**
 * The kind of a document that is for somebody else: an object of another API group, as files hold them beside
 * Istio's (Namespace, Deployment, a custom resource), or a file of Kustomize. Undefined where it may be meant
 * for Isthmus: its group or its kind are close to what Isthmus reads.
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
    words: 'is a template that was not rendered: put here what `helm template`, or the like, prints',
  },
  {
    pattern: /\$\{[A-Za-z_][^{}]*\}/,
    words: 'is a placeholder that nothing has filled in: put the value here',
  },
];

/** A placeholder of a template in a text, with where it stands and what to do; the first one. */
export function placeholderIn(text: string): { readonly at: number; readonly message: string } | undefined {
  for (const { pattern, words } of placeholders) {
    const found = pattern.exec(text);
    if (found === null) continue;
    const short = found[0].length > 60 ? `${found[0].slice(0, 57)}...` : found[0];
    return { at: found.index, message: `${short} ${words}.` };
  }
  return undefined;
}
