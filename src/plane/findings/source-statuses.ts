import type { ObjectFinding } from '../../model/finding.ts';
import { refKey } from '../../model/object.ts';
import type { Overruled } from '../../registry/merge/precedence.ts';
import type { ObjectStatus, Source } from '../../registry/source.ts';

/** Tells each source that asked for it what became of its objects, at each report. */
interface SourceStatuses {
  /** `findings`: of objects, in force or faulty. `overruled`: objects of which another source's counts. */
  report(findings: readonly ObjectFinding[], overruled: readonly Overruled[]): void;
}

/** `rankOf` says whose object of a key is in force: the position of its source; undefined: none is. */
export function createSourceStatuses(
  sources: readonly Source[],
  rankOf: (key: string) => number | undefined,
): SourceStatuses {
  return {
    report(findings, overruled) {
      const bySource = sources.map(() => new Map<string, ObjectStatus>());
      const add = (rank: number, finding: ObjectFinding, inForce: boolean) => {
        const { ref } = finding;
        const known = bySource[rank]?.get(refKey(ref))?.findings ?? [];
        bySource[rank]?.set(refKey(ref), { ref, inForce, findings: [...known, finding] });
      };
      for (const finding of findings) {
        const rank = rankOf(refKey(finding.ref));
        // What is not in force is faulty: only a source that is read has such.
        add(rank ?? 0, finding, rank !== undefined);
      }
      for (const { rank, finding } of overruled) add(rank, finding, false);
      for (const [rank, source] of sources.entries()) {
        const { status } = source.facets;
        if (status !== 'none') status.setStatuses(bySource[rank] ?? new Map());
      }
    },
  };
}
