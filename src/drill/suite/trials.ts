import { readdirSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MeshError } from '../../base/error.ts';
import { drills } from '../catalog.ts';
import type { Drill } from '../definition.ts';
import { readScenario } from '../scenario/document/read.ts';
import { scenarioDrill } from '../scenario/plan.ts';

type Flags = Readonly<Record<string, string>>;

/** A drill as `isthmus drill all` runs it: what it is told, and whether it has a negative control. */
export interface Trial {
  /** Also the name of its folder in the report. */
  readonly name: string;
  readonly drill: Drill;
  /** The path of its scenario file, if it is one. */
  readonly file?: string;
  readonly flags?: Flags;
  readonly seed?: number;
  /** What it is told where this machine does not let it do everything, and what is left out then. */
  readonly less?: { readonly flags: Flags; readonly without: string };
  /** Why it has none, when it has none. */
  readonly noControl?: string;
}

/** Seeds of chaos: in all, and with `quick`. */
const chaosSeeds = { full: 20, quick: 1 } as const;

/** The folder of the built-in scenarios. */
const folder = new URL('../scenarios/', import.meta.url);

/** All drills: every scenario of the tree, and every drill of the catalog but those that are such files. */
export function planTrials({ quick }: { readonly quick: boolean }): Trial[] {
  const all = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
  const others = drills.filter(({ files }) => files === undefined);
  return [...all.sort().map(fileTrial), ...others.flatMap((drill) => trialsOf(drill, quick))];
}

/** The trials of these names, in their order. Throws MeshError 'invalid' for a name that none has. */
export function selectTrials(trials: readonly Trial[], only: readonly string[]): readonly Trial[] {
  if (only.length === 0) return trials;
  const names = trials.map(({ name }) => name);
  const unknown = only.find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new MeshError('invalid', `There is no drill '${unknown}': use some of ${names.join(', ')}.`);
  return trials.filter(({ name }) => only.includes(name));
}

function fileTrial(file: string): Trial {
  const path = fileURLToPath(new URL(file, folder));
  const scenario = readScenario(path);
  const near = relative(process.cwd(), path);
  return {
    name: scenario.metadata.name,
    file: near.startsWith('..') ? path : near,
    drill: scenarioDrill(scenario),
    ...(!scenario.spec.control && { noControl: 'the scenario has no negative control' }),
  };
}

function trialsOf(drill: Drill, quick: boolean): Trial[] {
  const { name } = drill;
  switch (name) {
    case 'chaos':
      return Array.from({ length: quick ? chaosSeeds.quick : chaosSeeds.full }, (_, i) => ({
        ...{ name: `chaos-${i + 1}`, drill, seed: i + 1 },
        // What is planted in the first is planted in all.
        ...(i > 0 && { noControl: 'the control of chaos-1 covers it' }),
      }));
    case 'real':
      return [{ name, drill, less: { flags: { faults: 'kill,stop' }, without: 'drop' } }];
    default:
      return [{ name, drill }];
  }
}
