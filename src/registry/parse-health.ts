import type { z } from 'zod';
import { parseDurationMs } from '../model/duration.ts';
import { type GroupHealth, type HealthSettings, healthLimits, parseStatuses } from '../model/health.ts';
import { show } from './fault.ts';
import type { Fields } from './fields.ts';
import type { health } from './schema-health.ts';

type HealthYaml = z.infer<typeof health>;
type SettingsYaml = Omit<HealthYaml, 'ports'>;

/** Reads `traffic.health` of a DrGroup, which has passed the schema. */
export function parseHealth(spec: Fields, yaml: HealthYaml): GroupHealth {
  const { ports, ...all } = yaml;
  const read = (settings: SettingsYaml, ...path: string[]) =>
    parseSettings(spec, settings, ['health', ...path]);
  if ([yaml, ...Object.values(ports ?? {})].every(asksNothing)) {
    spec.error(
      'asks for nothing: give `path: /healthz`, `grpc: true`, or one of them by port in `ports`.',
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

function asksNothing({ path, grpc, enabled }: SettingsYaml): boolean {
  return path === undefined && grpc === undefined && enabled !== false;
}

function parseSettings(spec: Fields, yaml: SettingsYaml, path: readonly string[]): HealthSettings {
  const fault = (message: string, field: string) => spec.error(message, 'traffic', ...path, field);
  const settings: { -readonly [K in keyof HealthSettings]: HealthSettings[K] } = {};
  if (yaml.enabled !== undefined) settings.enabled = yaml.enabled;
  if (yaml.path !== undefined) settings.path = yaml.path;
  if (yaml.grpc !== undefined) settings.grpc = yaml.grpc === true ? '' : yaml.grpc;
  if (yaml.port !== undefined) settings.port = yaml.port;
  if (yaml.statuses !== undefined) {
    const statuses = parseStatuses(yaml.statuses.map(String));
    if (typeof statuses === 'string') fault(statuses, 'statuses');
    else settings.statuses = statuses;
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
