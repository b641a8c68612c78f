import { MeshError } from '../../base/error.ts';
import type { FillAlike } from '../../translate/group/alike.ts';
import type { BuiltResource } from '../../translate/resources.ts';
import { EncodedResource } from '../../xds/codec/codec.ts';
import { ResourceTemplate } from '../../xds/codec/resource-template.ts';
import { encodeResource, encodeResourceApart, type ResourceJson } from '../../xds/xds.ts';

/**
 * The resource encoded, so that its JSON is not kept beside its bytes. `isShared`: other classes may have an
 * equal one, which is then the same object. One that cannot be encoded stays as it is: `apply` says why.
 */
export function packResource(built: BuiltResource, isShared: boolean): BuiltResource {
  try {
    const encode = isShared ? encodeResource : encodeResourceApart;
    return { ...built, message: encode(built.message as ResourceJson) };
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
  const parts: { readonly kind: BuiltResource['kind']; readonly template: ResourceTemplate }[] = [];
  for (const { kind, message } of built) {
    if (!(message instanceof EncodedResource)) return undefined;
    parts.push({ kind, template: new ResourceTemplate(message, host) });
  }
  return (other, names) =>
    parts.map(({ kind, template }) => {
      const message = template.fill(other, names);
      return { kind, name: message.name, message };
    });
}
