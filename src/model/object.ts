import type { Drain } from './drain.ts';
import type { Evacuation } from './evacuation.ts';
import type { DrGroup, Idc } from './idc.ts';
import type { DestinationRule, ServiceEntry, WorkloadEntry } from './service.ts';

/** A registry object of any kind. */
export type MeshObject = ServiceEntry | WorkloadEntry | DestinationRule | Idc | DrGroup | Evacuation | Drain;

/** The known kinds. */
export type Kind = MeshObject['kind'];

/** Identifies an object. Cluster-scoped kinds (Idc, DrGroup, Evacuation) have the namespace ''. */
export interface Ref {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
}

/** One event of a source. `at`: `Clock.now()` when it was read, the start of the ACK clock. */
export type Change =
  | { readonly type: 'upsert'; readonly object: MeshObject; readonly at: number }
  | { readonly type: 'delete'; readonly ref: Ref; readonly at: number }
  | { readonly type: 'synced'; readonly source: string; readonly at: number };

/** The key of an object among all objects: `kind/namespace/name`. */
export function refKey(ref: Ref): string {
  // Joined, a text is one string; added up, it is one of strings, and there are very many.
  return [ref.kind, ref.namespace, ref.name].join('/');
}

/** The Ref of an object. */
export function refOf(object: MeshObject): Ref {
  return { kind: object.kind, namespace: object.meta.namespace, name: object.meta.name };
}

/** An object in words, for logs: `WorkloadEntry shop/cart-1`, `Idc sh-a`. */
export function showRef({ kind, namespace, name }: Ref): string {
  return `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`;
}
