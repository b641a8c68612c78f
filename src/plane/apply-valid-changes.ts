import { MeshError } from '../base/error.ts';

/**
 * Applies changes together; if that fails, one by one, so that an invalid change does not block others.
 * `refused` is called for each rejected one, which stays as it was.
 */
export function applyValidChanges<C>(
  changes: readonly C[],
  apply: (changes: readonly C[]) => void,
  refused: (change: C, error: MeshError) => void,
): void {
  try {
    apply(changes);
    return;
  } catch (reason) {
    if (changes.length === 1) {
      refused(changes[0] as C, MeshError.from(reason));
      return;
    }
  }
  for (const change of changes) applyValidChanges([change], apply, refused);
}
