import { isDeepStrictEqual } from 'node:util';
import type { RegistryAnswer } from '../../client/registry-client.ts';
import { type MeshObject, refKey, refOf, showRef } from '../../model/object.ts';
import { type PushPreview, previewPush } from '../../plane/reading/push-preview.ts';
import { delayedDeletions, heldDeletions, objectsInForceOf } from '../../registry/check/held-objects.ts';

/** What replacing the folder of a control plane would change, and push. */
export interface FolderDiff extends PushPreview {
  readonly idc: string;
  /** Whether it would change nothing. */
  readonly same: boolean;
  /** Connected proxies. */
  readonly proxies: number;
  readonly objects: {
    /** In the folder of the control plane, and in the one that it is compared with. */
    readonly inForce: number;
    readonly given: number;
    readonly added: readonly string[];
    readonly changed: readonly string[];
    readonly removed: readonly string[];
  };
  /** Deletions that the control plane would hold as a probable loss; 0: none. */
  readonly held: number;
  /** Removals that take effect after the deletion grace, and what is lost with each. */
  readonly delayed: {
    /** Milliseconds; absent: the control plane does not say, 10 s by default. */
    readonly forMs?: number;
    readonly objects: readonly { readonly object: string; readonly lost: string }[];
  };
}

/** Compares what a control plane holds with `found` in place of what its folder holds. */
export function compareFolder(
  { head, sources }: RegistryAnswer,
  found: readonly MeshObject[],
  wallMs: number,
): FolderDiff {
  const [folder, ...others] = sources;
  const inFolder = folder?.objects ?? [];
  const replaced = [{ name: folder?.name ?? '', objects: found }, ...others];
  const now = objectsInForceOf(sources).objects;
  const then = objectsInForceOf(replaced).objects;
  const push = previewPush(head, now, then, wallMs);
  const objects = compareObjects(inFolder, found);
  const { added, changed, removed } = objects;
  const isSame = added.length + changed.length + removed.length + push.classes.length === 0;
  return {
    ...{ idc: head.idc, same: isSame },
    proxies: head.classes.reduce((sum, { nodes }) => sum + nodes, 0),
    objects: { inForce: inFolder.length, given: found.length, ...objects },
    held: heldDeletions(inFolder, found),
    delayed: delayedIn(head.deletionGraceMs, inFolder, found),
    ...push,
  };
}

function delayedIn(
  forMs: number | undefined,
  inFolder: readonly MeshObject[],
  found: readonly MeshObject[],
): FolderDiff['delayed'] {
  const all = forMs === 0 ? [] : delayedDeletions(inFolder, found);
  const objects = all.map(({ ref, lost }) => ({ object: showRef(ref), lost }));
  return { ...(forMs === undefined ? {} : { forMs }), objects };
}

function compareObjects(before: readonly MeshObject[], after: readonly MeshObject[]) {
  const old = byKey(before);
  const now = byKey(after);
  const named = (objects: Iterable<MeshObject>) =>
    [...objects].map((object) => showRef(refOf(object))).sort();
  return {
    added: named([...now].flatMap(([key, object]) => (old.has(key) ? [] : [object]))),
    changed: named(
      [...now].flatMap(([key, object]) => {
        const known = old.get(key);
        return known === undefined || isSameObject(known, object) ? [] : [object];
      }),
    ),
    removed: named([...old].flatMap(([key, object]) => (now.has(key) ? [] : [object]))),
  };
}

function byKey(objects: readonly MeshObject[]): ReadonlyMap<string, MeshObject> {
  return new Map(objects.map((object) => [refKey(refOf(object)), object]));
}

/** Equal but for where it stands. */
function isSameObject(a: MeshObject, b: MeshObject): boolean {
  // What came as JSON has no undefined fields.
  const plain = ({ kind, meta: { origin: _, ...meta }, spec }: MeshObject): unknown =>
    JSON.parse(JSON.stringify({ kind, meta, spec }));
  return isDeepStrictEqual(plain(a), plain(b));
}
