import { didYouMean } from '../../base/suggest.ts';

/** A source, and the control planes beside it that it may wait for. */
interface WaitingSource {
  readonly name: string;
  readonly facets: { readonly peers: { waitsFor(): string | undefined } | 'none' };
}

/** What a control plane that is not ready knows of what it waits for. */
interface WaitingContext {
  /** The IDC that it decides for, and those that the registry declares so far. */
  readonly idc: string;
  readonly idcs: readonly string[];
  /** The first has the Idcs. */
  readonly sources: readonly WaitingSource[];
  /** Conditions by name, `source NAME` for sources. */
  readonly waitingFor: readonly string[];
}

/**
 * For each thing that is waited for, where there is more to say than its name: why, for how long, and what to
 * do.
 */
export function describeWaiting({ idc, idcs, sources, waitingFor }: WaitingContext): readonly string[] {
  const waits = ({ name }: { readonly name: string }) => waitingFor.includes(`source ${name}`);
  const late = sources.filter(waits).flatMap((source) => {
    const { peers } = source.facets;
    const words = peers === 'none' ? undefined : peers.waitsFor();
    return words === undefined ? [] : [`source ${source.name}: ${words}`];
  });
  if (idcs.includes(idc) || sources.slice(0, 1).some(waits)) return late;
  const known =
    idcs.length === 0 ? 'the registry has no Idc at all' : `the registry has ${idcs.slice(0, 10).join(', ')}`;
  return [
    ...late,
    `Idc ${idc}: ${known}: correct --idc, or add \`kind: Idc\` with this name to the folder.${didYouMean(idc, idcs)}`,
  ];
}
