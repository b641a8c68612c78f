import type { NodeScope } from '../../model/node.ts';
import type { MeshObject } from '../../model/object.ts';
import type { LoopPrevention } from '../../model/trail.ts';

/**
 * The first line of `GET /v1/registry`, and the version of all lines: another one is not read. Increment it
 * when an object of `model/` or a scope changes its fields.
 */
export const registryFormat = { format: 'isthmus registry lines', version: 1 } as const;

/** Proxies with the same scope, which get the same resources. */
export interface ProxyClass {
  readonly scope: NodeScope;
  /** Connected proxies, and the node id of the first. */
  readonly nodes: number;
  readonly first: string;
}

/** What a control plane decides by, besides its objects. */
export interface RegistryHead {
  readonly idc: string;
  readonly hopLimit: number;
  readonly loopPrevention: LoopPrevention;
  /** Names, in order of precedence: the folder first. */
  readonly sources: readonly string[];
  readonly classes: readonly ProxyClass[];
  /**
   * How long the deletion of an object of the folder is delayed that nothing stands in for, in milliseconds;
   * absent: an older control plane does not say.
   */
  readonly deletionGraceMs?: number;
}

/** The first line as written. `objects`: how many follow. */
export type WrittenHead = RegistryHead & typeof registryFormat & { readonly objects: number };

/** Each further line: objects of a source, by its position among the sources. */
export interface RegistryLine {
  readonly source: number;
  readonly objects: readonly MeshObject[];
}
