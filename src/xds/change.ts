import { type EncodedResource, encodeResource, type ResourceJson } from './codec/codec.ts';
import { ruleOf } from './resource-types.ts';

/** A change to one resource of a node class. */
export type ResourceChange =
  | { readonly upsert: ResourceJson | EncodedResource }
  | { readonly remove: { readonly typeUrl: string; readonly name: string } };

/** Encodes a change for a snapshot. Throws MeshError 'invalid', with the field's path. */
export function encodeChange(change: ResourceChange): {
  typeUrl: string;
  name: string;
  resource: EncodedResource | undefined;
} {
  if ('remove' in change) {
    ruleOf(change.remove.typeUrl);
    return { ...change.remove, resource: undefined };
  }
  const resource = encodeResource(change.upsert);
  ruleOf(resource.typeUrl);
  return { typeUrl: resource.typeUrl, name: resource.name, resource };
}
