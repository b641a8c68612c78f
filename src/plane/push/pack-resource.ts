import { MeshError } from '../../base/error.ts';
import type { FillAlike } from '../../translate/group/alike.ts';
import type { BuiltResource } from '../../translate/resources.ts';
import { EncodedResource } from '../../xds/codec/codec.ts';
import { ResourceTemplate } from '../../xds/codec/resource-template.ts';
import { type ResourceTypeName, typeNameOf } from '../../xds/resource-types.ts';
import { encodeResource, encodeResourceApart, type ResourceJson } from '../../xds/xds.ts';

/** An encoded resource as the catalog has it: one object, as there are hundreds of thousands. */
class PackedResource extends EncodedResource implements BuiltResource {
  get kind(): ResourceTypeName {
    return typeNameOf(this.typeUrl);
  }

  get message(): EncodedResource {
    return this;
  }
}

/**
 * The resource encoded, so that its JSON is not kept beside its bytes. `isShared`: other classes may have an
 * equal one, which is then the same object. One that cannot be encoded stays as it is: `apply` says why.
 */
export function packResource(built: BuiltResource, isShared: boolean): BuiltResource {
  try {
    if (isShared) return { ...built, message: encodeResource(built.message as ResourceJson) };
    return new PackedResource(encodeResourceApart(built.message as ResourceJson));
  } catch (error) {
    if (MeshError.from(error).code !== 'invalid') throw error;
    return built;
  }
}

/**
 * A template of packed resources, for hosts as long as `host`; undefined if one could not be encoded
 * (`TemplateOf`).
 */
export function templateOfPacked(built: readonly BuiltResource[], host: string): FillAlike | undefined {
  const templates: ResourceTemplate<PackedResource>[] = [];
  for (const { message } of built) {
    if (!(message instanceof PackedResource)) return undefined;
    templates.push(new ResourceTemplate(message, host, PackedResource));
  }
  return (other, names) => templates.map((template) => template.fill(other, names));
}
