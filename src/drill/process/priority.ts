import { getPriority, setPriority } from 'node:os';

/** How far a drill puts itself before the machine's other work: nice -10. */
const raised = -10;

/**
 * Puts this process, and what it starts from now on, before the machine's other work, as far as its user may
 * (root): a drill is to measure the mesh, not what else the machine is busy with. `restore` takes it back.
 */
export function raisePriority(): { readonly nice: number; restore(): void } {
  const before = getPriority();
  const isRaised = before > raised && trySet(raised);
  return {
    nice: isRaised ? raised : before,
    restore() {
      if (isRaised) trySet(before);
    },
  };
}

function trySet(nice: number): boolean {
  try {
    setPriority(nice);
    return true;
  } catch {
    // Not root: the drill runs beside the others.
    return false;
  }
}
