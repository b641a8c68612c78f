import { MeshError } from '../base/error.ts';
import { didYouMean } from '../base/text/suggest.ts';
import type { ConfigFile } from './config-file.ts';
import { crossFaults, isGiven, registryOptions } from './cross-check.ts';
import { type PlacedOption, variableOf, variablePrefix } from './option.ts';
import { type ControlPlaneConfig, optionList } from './options.ts';
import { type Given, type Setting, showOrigin } from './setting.ts';

/** A configuration, and the origin of its values. */
export interface ResolvedConfig {
  readonly config: ControlPlaneConfig;
  /** In the order of the options. */
  readonly settings: readonly Setting[];
}

/** The inputs; flags override the environment, which overrides the file. */
export interface ConfigInput {
  readonly file?: ConfigFile | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Values by the option's name, as flags gave them. */
  readonly flags: ReadonlyMap<string, unknown>;
}

/**
 * The configuration from file, environment, flags and defaults. Throws MeshError `invalid`, with a line for
 * each error, for any error in the file or the environment, even of overridden values.
 */
export function resolveConfig({ file = emptyFile, environment, flags }: ConfigInput): ResolvedConfig {
  const variables = readEnvironment(environment);
  const faults = [...file.faults, ...variables.faults];
  const given = new Map<string, Given>();
  for (const { name, row } of optionList) {
    const found = flags.has(name)
      ? ({ value: flags.get(name), origin: { from: 'flag', flag: row.flag } } as const)
      : (variables.values.get(name) ?? file.values.get(name));
    if (found !== undefined) given.set(name, found);
  }
  const settings = settingsOf(given);
  // Only without other errors: an invalid value is not a missing one.
  if (faults.length === 0) faults.push(...missing(settings), ...needsOf(settings));
  if (faults.length > 0) throw new MeshError('invalid', faults.join('\n'));
  return { config: assemble(settings), settings };
}

const emptyFile: ConfigFile = { values: new Map(), faults: [] };

function settingsOf(given: ReadonlyMap<string, Given>): readonly Setting[] {
  return optionList.map((placed) => ({ ...placed, ...givenOrDefault(placed, given) }));
}

function givenOrDefault({ name, row }: PlacedOption, given: ReadonlyMap<string, Given>): Given {
  const found = given.get(name);
  if (found !== undefined) return found;
  const origin = { from: 'default' } as const;
  if (row.byDefault !== undefined) return { value: row.kind.fromText(row.byDefault), origin };
  const other = row.derived && given.get(row.derived.from)?.value;
  return { value: typeof other === 'string' ? row.derived?.of(other) : undefined, origin };
}

/** Required options that a valid file leaves to flags or the environment. */
export function neededBeside({ values }: ConfigFile): readonly string[] {
  const settings = settingsOf(values);
  return [...missing(settings), ...needsOf(settings)];
}

/** Variables that Kubernetes sets for each Service, here for one named `isthmus-serve`. */
const ofService = /^(?:SERVICE_|PORT$|PORT_)/;

function readEnvironment(environment: ConfigInput['environment']): ConfigFile {
  const values = new Map<string, Given>();
  const faults: string[] = [];
  const byVariable = new Map(optionList.map((placed) => [variableOf(placed), placed]));
  for (const [variable, text] of Object.entries(environment)) {
    if (text === undefined || !variable.startsWith(variablePrefix)) continue;
    const placed = byVariable.get(variable);
    if (placed === undefined) {
      if (!ofService.test(variable.slice(variablePrefix.length)))
        faults.push(
          `${variable}: error: no option has this name: correct or unset it.${didYouMean(variable, byVariable.keys())}`,
        );
      continue;
    }
    try {
      values.set(placed.name, {
        value: placed.row.kind.fromText(text),
        origin: { from: 'environment', variable },
      });
    } catch (reason) {
      faults.push(`${variable}: error: ${MeshError.from(reason).message}`);
    }
  }
  return { values, faults };
}

function missing(settings: readonly Setting[]): readonly string[] {
  const isAbsent = ({ row, value }: Setting) => row.presence === 'always' && value === undefined;
  const faults = settings.filter(isAbsent).map(requirement);
  const places = settings.filter(({ name }) => registryOptions.includes(name));
  const [folder] = places;
  if (folder === undefined || places.some(isGiven)) return faults;
  return [...faults, `${requirement(folder)} Or --kubeconfig <file>, or --in-cluster on.`];
}

function requirement(setting: Setting): string {
  return `${setting.name} is required: give ${setting.row.flag} ${setting.row.kind.placeholder}, ${setting.name} in the file of --file, or ${variableOf(setting)}.`;
}

function needsOf(settings: readonly Setting[]): readonly string[] {
  return crossFaults(settings).map(({ about, message }) => `${placeOf(about)} ${message}`);
}

/** A setting in the words of its origin: `--peer-admin`, `isthmus.yaml:7: peers.admin:`. */
function placeOf({ origin, name }: Setting): string {
  return origin.from === 'flag' ? origin.flag : `${showOrigin(origin)}: ${name}:`;
}

/** The values as a tree. The type derives from the same table of options. */
function assemble(settings: readonly Setting[]): ControlPlaneConfig {
  const root: Record<string, unknown> = {};
  for (const { path, value } of settings) {
    let at = root;
    for (const key of path.slice(0, -1)) {
      at[key] ??= {};
      at = at[key] as Record<string, unknown>;
    }
    at[path.at(-1) as string] = value;
  }
  return root as unknown as ControlPlaneConfig;
}
