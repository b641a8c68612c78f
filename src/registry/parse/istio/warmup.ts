import type { Warmup } from '../../../model/service.ts';
import type { Fields, FieldTable } from '../fields.ts';

const warmupFields: FieldTable = { duration: '', minimumPercent: '', aggression: '' };

/** Parses `warmup` of a load balancer, or its older form `warmupDurationSecs`. */
export function parseWarmup(balancer: Fields | undefined): Warmup | undefined {
  if (balancer === undefined) return undefined;
  const fields = balancer.map('warmup');
  fields?.checkKnown(warmupFields);
  const old = balancer.duration('warmupDurationSecs', 1);
  if (fields !== undefined && !fields.has('duration'))
    fields.missing('is required: give a time such as 30s.', 'duration');
  const durationMs = fields === undefined ? old : fields.duration('duration', 1);
  if (durationMs === undefined) return undefined;
  const { simple } = balancer.raw;
  const key = fields === undefined ? 'warmupDurationSecs' : 'warmup';
  if (balancer.has('consistentHash') || simple === 'RANDOM') {
    const what = simple === 'RANDOM' ? 'RANDOM' : 'consistentHash';
    balancer.warn(`has no effect with ${what}: ROUND_ROBIN and LEAST_REQUEST have it.`, key);
    return undefined;
  }
  // Istio's defaults.
  const minimumPercent = fields && percent(fields);
  const aggression = fields && decimal(fields);
  return { durationMs, minimumPercent: minimumPercent ?? 10, aggression: aggression ?? 1 };
}

function percent(fields: Fields): number | undefined {
  const value = fields.raw.minimumPercent;
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && value >= 0 && value <= 100) return value;
  fields.error('must be a number from 0 to 100.', 'minimumPercent');
  return undefined;
}

function decimal(fields: Fields): number | undefined {
  const value = fields.raw.aggression;
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && value >= 1) return value;
  fields.error('must be a number from 1 on: 1 is a straight line, more is quicker at first.', 'aggression');
  return undefined;
}
