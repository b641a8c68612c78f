import type { NodeScope, OwnScope } from '../model/node.ts';
import { type BuiltResource, buildScopeResources, type Pack, type ScopeContext } from './resources.ts';

// A few in nearly every mesh: one for each role, port and access log. Beyond that they are built anew.
const kindsMax = 1_000;

/** What scopes have whatever their Groups are: once for all scopes that differ in their Groups alone. */
export class OwnResources {
  readonly #pack: Pack;
  readonly #known = new Map<string, readonly BuiltResource[]>();
  #context: ScopeContext | undefined;

  constructor(pack: Pack) {
    this.#pack = pack;
  }

  /** Those of a scope; `context`: by which it was built is told by the object. */
  of(scope: NodeScope, context: ScopeContext): readonly BuiltResource[] {
    if (context !== this.#context || this.#known.size >= kindsMax) this.#known.clear();
    this.#context = context;
    const own = ownScopeOf(scope);
    const key = JSON.stringify(own);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const built = buildScopeResources(own, context).map((one) => this.#pack(one, true));
    this.#known.set(key, built);
    return built;
  }
}

function ownScopeOf(scope: NodeScope): OwnScope {
  const own: Partial<Record<'namespace' | 'dependsOn' | 'zone', unknown>> & OwnScope = { ...scope };
  delete own.namespace;
  delete own.dependsOn;
  delete own.zone;
  return own;
}
