import { readFileSync } from 'node:fs';
import { load } from 'js-yaml';
import type { GuardedListener, TrailPolicy } from '../../src/model/trail.ts';

type Line = string | { repeat: string; times: number; then: string };

/** What a hostile client may try. */
export const spoofs = ['forged', 'split', 'oversized', 'non-ascii', 'many', 'mixed-case'] as const;
type Spoof = (typeof spoofs)[number];

interface Row {
  readonly name: string;
  readonly listener: GuardedListener;
  readonly header?: string;
  readonly spoof?: Spoof;
  /** Absent: true. */
  readonly enforce?: boolean;
  readonly lines: readonly Line[];
  readonly pass?: { readonly trail: string; readonly visited: string; readonly counter?: string };
  readonly refuse?: { readonly status: number; readonly outcome: string; readonly counter: string };
  readonly envoy?: number;
}

/** A case of trail.yaml, with its lines written out; `counter` is the full name of the metric. */
export interface TrailCase {
  readonly name: string;
  readonly policy: TrailPolicy;
  readonly header: string;
  readonly spoof: Spoof | undefined;
  readonly lines: readonly string[];
  readonly pass: { readonly trail: string; readonly visited: string } | undefined;
  readonly refuse: { readonly status: number; readonly outcome: string } | undefined;
  readonly counter: string | undefined;
  /** Envoy's own answer, before any filter. */
  readonly envoy: number | undefined;
}

/** Reads trail.yaml. */
export function trailCases(): readonly TrailCase[] {
  const text = readFileSync(new URL('./trail.yaml', import.meta.url), 'utf8');
  const table = load(text) as { policy: Omit<TrailPolicy, 'listener' | 'enforce'>; cases: readonly Row[] };
  return table.cases.map((row) => {
    if ((row.pass === undefined) === (row.refuse === undefined))
      throw new Error(`'${row.name}': pass or refuse`);
    const counter = (row.pass ?? row.refuse)?.counter;
    return {
      name: `${row.listener}${row.enforce === false ? ', off' : ''}: ${row.name}`,
      policy: { ...table.policy, listener: row.listener, enforce: row.enforce ?? true },
      header: row.header ?? 'x-isthmus-trail',
      spoof: row.spoof,
      lines: row.lines.map((line) =>
        typeof line === 'string' ? line : line.repeat.repeat(line.times) + line.then,
      ),
      pass: row.pass && { trail: row.pass.trail, visited: row.pass.visited },
      refuse: row.refuse && { status: row.refuse.status, outcome: row.refuse.outcome },
      counter: counter && `isthmus_trail.${row.listener}.${counter}`,
      envoy: row.envoy,
    };
  });
}

/** The cases of each filter that the table needs, by a name for that filter. */
export function casesByFilter(cases: readonly TrailCase[]): ReadonlyMap<string, readonly TrailCase[]> {
  return Map.groupBy(cases, ({ policy }) => filterOf(policy));
}

/** Names the filter that a case is for. */
export function filterOf({ listener, enforce }: TrailPolicy): string {
  return enforce ? listener : `${listener}-off`;
}
