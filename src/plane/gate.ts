import type { Clock } from '../base/clock.ts';
import { Readiness } from '../rollout/readiness.ts';

/** What a gate needs. */
interface GateOptions {
  readonly idc: string;
  /** Names of the sources. */
  readonly sources: readonly string[];
  readonly clock: Clock;
}

/** The conditions for answering the first proxy. */
export interface Gate {
  readonly readiness: Readiness;
  /** A source has been read. */
  synced(source: string): void;
  /** The registry declares the local IDC. */
  localIdcDeclared(): void;
  /** Whether the filters that were requested last are there. */
  setFilters(areThere: boolean): void;
}

/** Creates a gate that opens once all sources, the local Idc and the filters are there. */
export function createGate({ idc, sources, clock }: GateOptions): Gate {
  const ofSource = (name: string) => `source ${name}`;
  // Not ready without our own Idc: we would push configuration without our gateways.
  const ownIdc = `an Idc named ${idc}`;
  const ofFilters = 'filters';
  const readiness = new Readiness({ conditions: [...sources.map(ofSource), ownIdc, ofFilters], clock });
  return {
    readiness,
    synced: (source) => readiness.met(ofSource(source)),
    localIdcDeclared: () => readiness.met(ownIdc),
    // Filters count once they are those of all IDCs, that is after all sources have synced.
    setFilters(areThere) {
      const isLast = readiness.waitingFor().every((condition) => condition === ofFilters);
      if (areThere && isLast) readiness.met(ofFilters);
    },
  };
}
