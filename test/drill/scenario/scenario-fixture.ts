import { readFileSync } from 'node:fs';
import { type Verdict, verdictOf } from '../../../src/drill/judge/verdict.ts';
import { isolationChecks } from '../../../src/drill/measure/isolation.ts';
import { scenarioRows } from '../../../src/drill/scenario/bounds.ts';
import type { Scenario } from '../../../src/drill/scenario/document/document.ts';
import { parseScenario } from '../../../src/drill/scenario/document/read.ts';
import { scenarioFile } from '../../../src/drill/scenario/from-file.ts';
import type { ScenarioMeasurement } from '../../../src/drill/scenario/measurement.ts';

/** The scenario of a kind of outage, as the tree has it. */
export function outage(kind: string): Scenario {
  return builtIn(`outage-${kind}`);
}

/** A scenario of the tree, by its name. */
export function builtIn(name: string): Scenario {
  const file = scenarioFile(name);
  const { scenario, faults } = parseScenario(readFileSync(file, 'utf8'), file);
  if (!scenario) throw new Error(faults.join('\n'));
  return scenario;
}

/** The verdict on a measurement by the bounds of a kind of outage. */
export function judge(m: ScenarioMeasurement, kind = 'kill'): Verdict {
  return verdictOf(scenarioRows(m, outage(kind).spec.bounds, isolationChecks));
}
