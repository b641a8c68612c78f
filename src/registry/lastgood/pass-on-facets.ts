import type { Source, SourceFacets } from '../source.ts';

/** The facets by which a source is told: passed on to it as it was opened last. */
export function passOnFacets(source: () => Source): Pick<SourceFacets, 'finalizers' | 'status'> {
  const { finalizers, status } = source().facets;
  return {
    finalizers:
      finalizers === 'none' ? 'none' : { release: async (ref) => finalizersOf(source())?.release(ref) },
    status: status === 'none' ? 'none' : { setStatuses: (all) => statusOf(source())?.setStatuses(all) },
  };
}

function finalizersOf({ facets: { finalizers } }: Source) {
  return finalizers === 'none' ? undefined : finalizers;
}

function statusOf({ facets: { status } }: Source) {
  return status === 'none' ? undefined : status;
}
