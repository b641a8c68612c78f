import { MeshError } from '../base/error.ts';

/**
 * Applies changes together; where that is refused, one by one, so that a single change that cannot be pushed
 * holds up no other. `refused` hears of each that was left out: what it replaces stays in force.
 */
export function applySalvaging<C>(
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
  for (const change of changes) applySalvaging([change], apply, refused);
}
