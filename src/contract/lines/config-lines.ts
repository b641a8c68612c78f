import { z } from 'zod';
import { flag } from '../query.ts';

/** One line of `GET /v1/config/{node}`: a resource of the node. Versions: absent for none. */
export interface ShownResource {
  /** Envoy's abbreviation: CDS, EDS, … */
  readonly type: string;
  readonly name: string;
  /** ABSENT: the node has asked for it, and there is none. */
  readonly state: 'SYNCED' | 'STALE' | 'NACKED' | 'NOT SENT' | 'ABSENT';
  /** The version that the node accepted last; `unknown`: long ago, or on an earlier stream. */
  readonly acked?: string;
  /** The version that it was sent last. */
  readonly sent?: string;
  /** The version that it is to have. */
  readonly now?: string;
  /** Milliseconds since its last ACK of this type. */
  readonly ackedAgoMs?: number;
  /** Its message where it refuses the resource. */
  readonly refusal?: string;
  /** Of an absent one, the nearest name that there is. */
  readonly nearest?: string;
  /** The resource itself, where contents were asked for; never that of a secret. */
  readonly content?: Readonly<Record<string, unknown>>;
}

/** The first line: the node, and how many resources follow. */
export interface ConfigHead {
  readonly node: string;
  readonly role: string;
  readonly idc: string;
  /** Its streams: one with ADS. */
  readonly streams: readonly {
    readonly peer: string;
    readonly protocol: string;
    readonly connectedForMs: number;
  }[];
  readonly resources: number;
}

/** The query of `GET /v1/config/{node}`. */
export const configQuery = z.strictObject({
  type: z.string().optional().meta({ description: 'Only of this type: CDS, EDS, LDS, RDS, …' }),
  name: z.string().optional().meta({ description: 'Only the resource of this name, of any type.' }),
  contents: flag('contents', 'true', 'With the resources themselves.'),
});
