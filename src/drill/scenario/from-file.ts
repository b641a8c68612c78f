import { fileURLToPath } from 'node:url';
import { MeshError } from '../../base/error.ts';
import type { Choice, Drill, DrillFlag } from '../definition.ts';
import { readScenario } from './document/read.ts';
import type { ScenarioFacts } from './measurement.ts';
import { planScenario } from './plan.ts';

/** A drill of the catalog that is a scenario file, or one of several by an option of its own. */
interface FileDrill {
  readonly name: string;
  readonly summary: string;
  readonly description: string;
  readonly unprotected: string;
  /** The loads of its files, as `--NAME-rate` may change them. */
  readonly rates: Drill['rates'];
  /** Its option, and the file, without `.yaml`, of each value; the first is the default. */
  readonly variants?: {
    readonly flag: Omit<DrillFlag, 'choices' | 'default'>;
    readonly files: Readonly<Record<string, string>>;
  };
}

/** The path of a built-in scenario, by its name. */
export function scenarioFile(name: string): string {
  return fileURLToPath(new URL(`../scenarios/${name}.yaml`, import.meta.url));
}

/** Makes a drill of its scenario files. */
export function drillFromFile({ name, rates, variants, ...words }: FileDrill): Drill<ScenarioFacts> {
  const files = variants?.files ?? { '': name };
  const choices = Object.keys(files);
  const flag = variants?.flag.name ?? '';
  return {
    ...{ name, rates, ...words, files: Object.values(files) },
    flags: variants ? [{ ...variants.flag, choices, default: choices[0] ?? '' }] : [],
    plan({ flags, ...choice }: Choice) {
      const chosen = variants ? (flags[flag] ?? choices[0] ?? '') : '';
      const file = files[chosen];
      if (file === undefined)
        throw new MeshError('invalid', `There is no ${flag} '${chosen}': use one of ${choices.join(', ')}.`);
      const planned = planScenario(readScenario(scenarioFile(file)), choice);
      return variants ? { ...planned, figures: (m) => ({ [flag]: chosen, ...planned.figures(m) }) } : planned;
    },
  };
}
