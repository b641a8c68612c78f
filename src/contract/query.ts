import { z } from 'zod';
import { durationMeant, parseDurationMs } from '../model/values/duration.ts';

/**
 * A duration parameter, such as `30s`, of more than `minMs` and at most `maxMs`; the result is in
 * milliseconds. `words`: the error.
 */
export function durationQuery(minMs: number, maxMs: number, words: string) {
  return z.string({ error: words }).transform((text, context) => {
    const ms = parseDurationMs(text);
    if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms;
    const meant = ms === undefined ? durationMeant(text) : '';
    context.addIssue({ code: 'custom', message: meant === '' ? words : `${words}.${meant}` });
    return z.NEVER;
  });
}

/** A positive whole number. */
export const positive = z
  .string()
  .regex(/^[0-9]+$/, 'give a positive whole number')
  .transform(Number)
  .refine((number) => number >= 1 && Number.isSafeInteger(number), 'give a positive whole number')
  .meta({ type: 'integer', minimum: 1 });

/** A parameter with a single value. */
export function flag<Value extends string>(name: string, value: Value, description: string) {
  const error = `give ${name}=${value}, or leave it out`;
  return z.enum([value], { error }).optional().meta({ description });
}

/** Timeout of a wait for proxies, maximum and default. */
const timeoutMs = { most: 600_000, default: '30s' } as const;

/** Parameters of operations that may wait for proxies. */
export const waitParameters = {
  wait: flag('wait', 'acked', 'Answer when the proxies have confirmed.'),
  timeout: durationQuery(0, timeoutMs.most, 'give a duration of at most 10m, such as 30s')
    .prefault(timeoutMs.default)
    .meta({ description: 'How long to wait at most, up to 10m.' }),
};

/** The parameter for the generation of an instance. */
export const generationParameter = {
  generation: positive.optional().meta({
    description: 'The generation; absent: any.',
  }),
};
