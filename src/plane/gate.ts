import type { Clock } from '../base/clock.ts';
import { Readiness } from '../rollout/readiness.ts';

/** What a gate needs. */
export interface GateOptions {
  readonly idc: string;
  /** Names of the sources. */
  readonly sources: readonly string[];
  readonly clock: Clock;
}

/** What must be known before the first proxy is answered. */
export interface Gate {
  readonly readiness: Readiness;
  /** A source has been read. */
  synced(source: string): void;
  /** The registry declares the own IDC. */
  declared(): void;
  /** Whether the filters are there that were wanted last. */
  filters(areThere: boolean): void;
}

/** Creates a gate that is closed until all sources, the own Idc and the filters are there. */
export function createGate({ idc, sources, clock }: GateOptions): Gate {
  const ofSource = (name: string) => `source ${name}`;
  // Without its own Idc it knows no gateway of its own: what it would push is less than proxies have.
  const ownIdc = `an Idc named ${idc}`;
  const ofFilters = 'filters';
  const readiness = new Readiness({ conditions: [...sources.map(ofSource), ownIdc, ofFilters], clock });
  return {
    readiness,
    synced: (source) => readiness.met(ofSource(source)),
    declared: () => readiness.met(ownIdc),
    // The filters count once they are those of all IDCs, which is known when all sources have synced.
    filters(areThere) {
      const isLast = readiness.waitingFor().every((condition) => condition === ofFilters);
      if (areThere && isLast) readiness.met(ofFilters);
    },
  };
}
