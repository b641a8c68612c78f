import { MeshError } from '../../../base/error.ts';
import { readBounded } from '../../../base/files/bounded-file.ts';
import { describeSystemError } from '../../../base/system-error.ts';
import { renderPath } from '../../../model/values/field-path.ts';
import { oneDocumentBytesMax, readOneDocument } from '../../../registry/files/one-document.ts';
import { type Fault, hasErrors } from '../../../registry/parse/fault.ts';
import { parseStrict } from '../../../registry/parse/own/parse-strict.ts';
import { machineClock } from '../../time.ts';
import { checkScenario, inControl } from './check.ts';
import { controlledSpec } from './controlled.ts';
import { type Scenario, type ScenarioSpec, scenarioSchema } from './document.ts';
import { objectFaults } from './objects.ts';

/** What is wrong with a scenario file: a line for each fault, as compilers print theirs. */
export interface ScenarioReading {
  /** Absent when one of the faults is an error. */
  readonly scenario?: Scenario;
  /** `FILE:LINE:COLUMN: error|warning: PATH: MESSAGE`. */
  readonly faults: readonly string[];
}

/**
 * Reads and checks a scenario. `file` is how messages name it; `wallMs`: milliseconds since the Unix epoch.
 * Never throws.
 */
export function parseScenario(
  text: string,
  file: string,
  wallMs: number = machineClock.wall(),
): ScenarioReading {
  const document = readOneDocument(text, {
    none: 'holds no scenario.',
    second: 'holds more than one document: a scenario is one.',
  });
  if ('fault' in document)
    return { faults: [`${file}:${document.line}:${document.column}: error: ${document.fault}`] };
  const faults: Fault[] = [];
  const parsed = parseStrict(scenarioSchema, document.raw, [], faults);
  if (parsed) {
    faults.push(...checkScenario(parsed));
    if (!faults.some(({ path }) => path.includes('world'))) faults.push(...addedFaults(parsed.spec, wallMs));
  }
  const isGood = parsed !== undefined && !hasErrors(faults);
  const places = document.placesOf(faults.map(({ path }) => path));
  const lines = faults.map(({ severity, path, message }, i) => {
    const { line = 1, column = 1 } = places[i] ?? {};
    const at = path.length === 0 ? '' : `${renderPath(path)}: `;
    return `${file}:${line}:${column}: ${severity}: ${at}${message}`;
  });
  return { faults: lines, ...(isGood && { scenario: parsed }) };
}

/** Reads and checks the scenario in a file; one that cannot be read is a fault. */
export function readScenarioFile(file: string): ScenarioReading {
  let text: string;
  try {
    text = readBounded(file, oneDocumentBytesMax.whole).toString('utf8');
  } catch (reason) {
    return { faults: [`${file}: error: cannot be read: ${describeSystemError(reason)}`] };
  }
  return parseScenario(text, file);
}

/** The scenario in a file. Throws MeshError 'invalid' with a line for each fault. */
export function readScenario(file: string): Scenario {
  const { scenario, faults } = readScenarioFile(file);
  if (!scenario) throw new MeshError('invalid', faults.join('\n'));
  return scenario;
}

/** Faults of what the scenario, and its control, add to registries. */
function addedFaults(spec: ScenarioSpec, wallMs: number): Fault[] {
  const own = objectFaults(spec.world, wallMs);
  const { control } = spec;
  if (!control?.world) return own;
  const { world } = controlledSpec(spec);
  const changed = objectFaults(world, wallMs).filter(({ path: [, , field = ''] }) =>
    Object.hasOwn(control.world ?? {}, field),
  );
  return [...own, ...changed.map((fault) => inControl(fault, control))];
}
