import type { ProxyClass, RegistryHead } from '../../contract/lines/registry-lines.ts';
import type { RosterStream } from '../../delivery/roster.ts';
import type { MeshObject } from '../../model/object.ts';
import type { Source } from '../../registry/source.ts';

/** All that a control plane decides by: its settings, and the objects of each source that are in force. */
export interface RegistryState {
  readonly head: RegistryHead;
  /** By source, in the order of `head.sources`. */
  readonly sources: readonly (readonly MeshObject[])[];
}

/** The options of a control plane that decide what it pushes. */
interface RegistrySettings extends Omit<RegistryHead, 'classes' | 'sources' | 'loopPrevention'> {
  readonly loopPrevention?: RegistryHead['loopPrevention'];
  readonly sources: readonly Source[];
}

/** Reads the state at this moment. */
export function readRegistryState(
  { idc, hopLimit, loopPrevention = 'on', sources, deletionGraceMs }: RegistrySettings,
  connected: Iterable<Pick<RosterStream, 'node' | 'scope'>>,
): RegistryState {
  return {
    head: {
      ...{ idc, hopLimit, loopPrevention, classes: classesOf(connected) },
      sources: sources.map(({ name }: Source) => name),
      ...(deletionGraceMs === undefined ? {} : { deletionGraceMs }),
    },
    sources: sources.map((source) => [...source.objects()]),
  };
}

/** The classes of connected proxies. One without ADS has several streams, and is one proxy. */
function classesOf(connected: Iterable<Pick<RosterStream, 'node' | 'scope'>>): readonly ProxyClass[] {
  const classes = new Map<string, { scope: RosterStream['scope']; nodes: Set<string> }>();
  for (const { node, scope } of connected) {
    const key = JSON.stringify(scope);
    const known = classes.get(key);
    if (known === undefined) classes.set(key, { scope, nodes: new Set([node]) });
    else known.nodes.add(node);
  }
  return [...classes.values()].map(({ scope, nodes }) => {
    const [first = ''] = nodes;
    return { scope, nodes: nodes.size, first };
  });
}
