import { type Ref, refKey, refOf } from '../model/object.ts';
import type { DestinationRule } from '../model/service.ts';
import { isWildcard, meaningsOf, patternsOf } from '../model/values/hostname.ts';
import { compareObjects, createPrecedenceIndex } from './precedence-index.ts';

/** DestinationRules by host. */
interface DestinationRules {
  /** Adds or replaces a rule and returns the host patterns that may be affected. */
  set(rule: DestinationRule): readonly string[];
  delete(ref: Ref): readonly string[];
  get(ref: Ref): DestinationRule | undefined;
  all(): Iterable<DestinationRule>;
  /**
   * The rule for `host` of a ServiceEntry in `namespace`. The ServiceEntry's own namespace comes first, as in
   * Istio; within it the exact host, then the longest wildcard (`*.x`). Only without any there: the other
   * namespaces that export theirs to it, the exact host first too. Between equals: namespace, then name.
   */
  find(host: string, namespace: string): DestinationRule | undefined;
}

/** Creates an empty set of rules. */
export function createDestinationRules(): DestinationRules {
  const byRef = new Map<string, DestinationRule>();
  const byPattern = createPrecedenceIndex<DestinationRule>(compareObjects);
  let wildcards = 0;

  function updatePatterns(rule: DestinationRule, present: boolean): void {
    for (const pattern of patternsFor(rule)) {
      if (present) byPattern.add(pattern, rule);
      else byPattern.remove(pattern, rule);
    }
    if (isWildcard(rule.spec.host)) wildcards += present ? 1 : -1;
  }

  function remove(ref: Ref): readonly string[] {
    const old = byRef.get(refKey(ref));
    if (old === undefined) return [];
    byRef.delete(refKey(ref));
    updatePatterns(old, false);
    return patternsFor(old);
  }

  return {
    set(rule) {
      const patterns = remove(refOf(rule));
      byRef.set(refKey(refOf(rule)), rule);
      updatePatterns(rule, true);
      return [...patterns, ...patternsFor(rule)];
    },
    delete: remove,
    get: (ref) => byRef.get(refKey(ref)),
    all: () => byRef.values(),
    find(host, namespace) {
      let elsewhere: DestinationRule | undefined;
      for (const pattern of wildcards > 0 ? patternsOf(host) : [host]) {
        const ranked = byPattern.ranked(pattern);
        const own = ranked.find((rule) => rule.meta.namespace === namespace);
        if (own !== undefined) return own;
        elsewhere ??= ranked.find(
          ({ spec }) => spec.exportTo === undefined || spec.exportTo.includes(namespace),
        );
      }
      return elsewhere;
    },
  };
}

function patternsFor({ meta, spec }: DestinationRule): readonly string[] {
  return meaningsOf(spec.host, meta.namespace);
}
