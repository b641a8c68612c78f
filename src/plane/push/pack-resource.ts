import { MeshError } from '../../base/error.ts';
import type { BuiltResource } from '../../translate/resources.ts';
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
