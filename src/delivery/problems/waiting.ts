import { didYouMean } from '../../base/text/suggest.ts';

/** A source, and the peer control planes that it may wait for. */
interface WaitingSource {
  readonly name: string;
  readonly facets: { readonly peers: { waitsFor(): string | undefined } | 'none' };
}

/** The state of a control plane that is not ready. */
interface WaitingContext {
  /** The own IDC, and those that the registry declares so far. */
  readonly idc: string;
  readonly idcs: readonly string[];
  /** The first one declares the Idcs. */
  readonly sources: readonly WaitingSource[];
  /** Conditions by name, `source NAME` for sources. */
  readonly waitingFor: readonly string[];
}

/** Details for each condition that is waited for: why, for how long, and what to do. */
export function describeWaiting({ idc, idcs, sources, waitingFor }: WaitingContext): readonly string[] {
  const waits = ({ name }: { readonly name: string }) => waitingFor.includes(`source ${name}`);
  const late = sources.filter(waits).flatMap((source) => {
    const { peers } = source.facets;
    const words = peers === 'none' ? undefined : peers.waitsFor();
    return words === undefined ? [] : [`source ${source.name}: ${words}`];
  });
  if (waitingFor.length > 0 && waitingFor.every((name) => name === 'filters'))
    return [
      'filters: being compiled and checked, which takes some seconds; if it lasts, the log has the error',
    ];
  if (idcs.includes(idc) || sources.slice(0, 1).some(waits)) return late;
  const known =
    idcs.length === 0 ? 'the registry has no Idc at all' : `the registry has ${idcs.slice(0, 10).join(', ')}`;
  return [
    ...late,
    `Idc ${idc}: ${known}: correct --idc, or add \`kind: Idc\` with this name to the folder.${didYouMean(idc, idcs)}`,
  ];
}
