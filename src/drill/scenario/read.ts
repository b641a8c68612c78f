import { readFileSync } from 'node:fs';
import { MeshError } from '../../base/error.ts';
import { type Fault, type PathPart, renderPath } from '../../registry/fault.ts';
import { parseObject } from '../../registry/parse.ts';
import { parseStrict } from '../../registry/strict.ts';
import { loadDocument, locate, splitDocuments, YamlFault } from '../../registry/yaml.ts';
import { checkScenario } from './check.ts';
import { type Scenario, scenarioSchema } from './document.ts';

/** What is wrong with a scenario file: a line for each fault, as compilers print theirs. */
export interface ScenarioReading {
  /** Absent when something is wrong. */
  readonly scenario?: Scenario;
  /** `FILE:LINE:COLUMN: error: PATH: MESSAGE`. */
  readonly faults: readonly string[];
}

/** Reads and checks a scenario. `file` is how messages name it. Never throws. */
export function parseScenario(text: string, file: string): ScenarioReading {
  const documents = splitDocuments(text);
  const [document, second] = documents;
  const whole = (message: string, line = 1, column = 1) => ({
    faults: [`${file}:${line}:${column}: error: ${message}`],
  });
  if (!document) return whole('holds no scenario.');
  if (second) return whole('holds more than one document: a scenario is one.', second.line);
  let raw: unknown;
  try {
    raw = loadDocument(document.text);
  } catch (reason) {
    if (!(reason instanceof YamlFault)) throw reason;
    const { line, column } = reason.position;
    return whole(`is no YAML: ${reason.message}`, line + document.line - 1, column);
  }
  const faults: Fault[] = [];
  const parsed = parseStrict(scenarioSchema, raw, [], faults);
  if (parsed) faults.push(...checkScenario(parsed), ...objectFaults(parsed));
  if (parsed && faults.length === 0) return { scenario: parsed, faults: [] };
  const places = locate(
    document.text,
    faults.map(({ path }) => path),
  );
  return {
    faults: faults.map(({ path, message }, i) => {
      const { line = 1, column = 1 } = places[i] ?? {};
      const at = path.length === 0 ? '' : `${renderPath(path)}: `;
      return `${file}:${line + document.line - 1}:${column}: error: ${at}${message}`;
    }),
  };
}

/** Reads and checks the scenario in a file; one that cannot be read is a fault. */
export function readScenarioFile(file: string): ScenarioReading {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (reason) {
    return { faults: [`${file}: error: cannot be read: ${(reason as Error).message}`] };
  }
  return parseScenario(text, file);
}

/** The scenario in a file. Throws MeshError 'invalid' with a line for each fault. */
export function readScenario(file: string): Scenario {
  const { scenario, faults } = readScenarioFile(file);
  if (!scenario) throw new MeshError('invalid', faults.join('\n'));
  return scenario;
}

/** Objects and traffic policy are read as the registry reads them. */
function objectFaults({ spec: { world } }: Scenario): Fault[] {
  const found: Fault[] = [];
  const take = (raw: unknown, rebase: (path: readonly PathPart[]) => PathPart[]) => {
    for (const fault of parseObject(raw, '').faults)
      if (fault.severity === 'error') found.push({ ...fault, path: rebase(fault.path) });
  };
  (world.objects ?? []).forEach((raw, i) => {
    take(raw, (path) => ['spec', 'world', 'objects', i, ...path]);
  });
  if (world.traffic) {
    const spec = { hosts: ['a.shop'], idcs: [{ name: 'a' }, { name: 'b' }], traffic: world.traffic };
    const raw = { apiVersion: 'isthmus.dev/v1alpha1', kind: 'DrGroup', metadata: { name: 'shop' }, spec };
    take(raw, (path) => ['spec', 'world', ...path.slice(1)]);
  }
  return found;
}
