import type { z } from 'zod';
import { isMap, type RawMap } from '../../../base/raw-map.ts';
import {
  type GroupHealth,
  type HealthSettings,
  healthLimits,
  parseStatuses,
  statusPattern,
} from '../../../model/health.ts';
import { parseDurationMs } from '../../../model/values/duration.ts';
import type { PathPart } from '../../../model/values/field-path.ts';
import { show } from '../fault.ts';
import type { Fields } from '../fields.ts';
import type { health } from './schema-health.ts';

type HealthYaml = z.infer<typeof health>;
type SettingsYaml = Omit<HealthYaml, 'ports'>;

/** Converts `traffic.health` of a DrGroup, as far as it has passed the schema. */
export function parseHealth(spec: Fields, yaml: HealthYaml): GroupHealth {
  const { ports, ...all } = yaml;
  const read = (settings: SettingsYaml, ...path: string[]) =>
    parseSettings(spec, settings, ['health', ...path]);
  const raw = rawAt(spec, ['health']);
  // A check declared with an error is declared.
  if (asksNothing(raw) && Object.values(isMap(raw.ports) ? raw.ports : {}).every(asksNothing)) {
    spec.error(
      'declares no check: give `path: /healthz`, `grpc: true`, or one of them by port in `ports`.',
      'traffic',
      'health',
    );
  }
  return {
    ...read(all),
    ...(ports === undefined
      ? {}
      : {
          ports: Object.fromEntries(
            Object.entries(ports).map(([name, settings]) => [name, read(settings, 'ports', name)]),
          ),
        }),
  };
}

function asksNothing(settings: unknown): boolean {
  if (!isMap(settings)) return false;
  return settings.path === undefined && settings.grpc === undefined && settings.enabled !== false;
}

/** The raw value at a path below `traffic`, including errors. */
function rawAt(spec: Fields, path: readonly string[]): RawMap {
  const step = (at: unknown, key: string) => (isMap(at) ? at[key] : undefined);
  const found = ['traffic', ...path].reduce<unknown>(step, spec.raw);
  return isMap(found) ? found : {};
}

function parseSettings(spec: Fields, yaml: SettingsYaml, path: readonly string[]): HealthSettings {
  const fault = (message: string, ...field: PathPart[]) => spec.error(message, 'traffic', ...path, ...field);
  const settings: { -readonly [K in keyof HealthSettings]: HealthSettings[K] } = {};
  if (yaml.enabled !== undefined) settings.enabled = yaml.enabled;
  if (yaml.path !== undefined) settings.path = yaml.path;
  if (yaml.grpc !== undefined) settings.grpc = yaml.grpc === true ? '' : yaml.grpc;
  if (yaml.port !== undefined) settings.port = yaml.port;
  if (yaml.statuses !== undefined) {
    const statuses = parseStatuses(yaml.statuses.map(String));
    if (typeof statuses !== 'string') settings.statuses = statuses;
    const { statuses: raw } = rawAt(spec, path);
    for (const [index, text] of (Array.isArray(raw) ? raw : []).entries()) {
      const own = typeof text === 'string' && statusPattern.test(text) ? parseStatuses([text]) : [];
      if (typeof own === 'string') fault(own, 'statuses', index);
    }
  }
  if (yaml.interval !== undefined) {
    const ms = parseDurationMs(yaml.interval);
    if (ms === undefined) fault(`${show(yaml.interval)} is too long: give less than ten years.`, 'interval');
    else if (ms < healthLimits.intervalMsMin)
      fault(`${yaml.interval} is too short: give at least ${healthLimits.intervalMsMin}ms.`, 'interval');
    else settings.intervalMs = ms;
  }
  return settings;
}
