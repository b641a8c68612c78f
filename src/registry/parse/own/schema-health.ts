import { z } from 'zod';
import { grpcServicePattern, healthLimits, healthPathPattern, statusPattern } from '../../../model/health.ts';
import { durationPattern } from '../../../model/values/duration.ts';

export const port = z
  .int({ error: 'must be a whole number from 1 to 65535.' })
  .min(1, 'must be a port from 1 to 65535.')
  .max(65_535, 'must be a port from 1 to 65535.');

export const duration = z
  .string({ error: "must be a duration such as '1.5s' or '250ms'." })
  .regex(durationPattern, {
    error: "must be a duration such as '1.5s', '250ms' or '1h5m'.",
  });

const { statusMin, statusMax, statusesMax } = healthLimits;

const statusError = `must be a status from ${statusMin} to ${statusMax} such as 204, or a range such as '200-299'.`;
const grpcError = "must be true, for the whole server, or the name of a service such as 'shop.Checkout'.";

const settings = {
  enabled: z.boolean({ error: 'must be true or false.' }).optional().meta({
    description: 'false: no checks.',
    default: true,
  }),
  path: z
    .string()
    .regex(healthPathPattern, "must be a path such as '/healthz', without spaces or '#'.")
    .max(healthLimits.pathLengthMax, `is too long: give up to ${healthLimits.pathLengthMax} characters.`)
    .optional()
    .meta({
      description: 'Path that instances are asked for by HTTP GET, at ports of protocol HTTP and HTTP2.',
    }),
  grpc: z
    .union([z.literal(true), z.string().regex(grpcServicePattern, grpcError)], { error: grpcError })
    .optional()
    .meta({
      description:
        'Instances are asked by grpc.health.v1, at ports of protocol GRPC (by port also HTTP2): true for the whole server, or a service.',
    }),
  statuses: z
    .array(
      z.union(
        [
          z.int().min(statusMin, statusError).max(statusMax, statusError),
          z.string().regex(statusPattern, statusError),
        ],
        { error: statusError },
      ),
    )
    .min(1, 'names no status: give one like 204.')
    .max(statusesMax, `has too many statuses: give up to ${statusesMax}.`)
    .optional()
    .meta({ description: 'Statuses that say healthy.', default: ['200-299'] }),
  interval: duration.optional().meta({
    description: `Time between two checks, at least ${healthLimits.intervalMsMin}ms.`,
    default: '500ms',
  }),
  port: port.optional().meta({
    description: 'The port of the instance that is asked, where it is another one than requests go to.',
  }),
};

/** How instances are checked: for all ports of a Group, and what differs at one of them. */
export const health = z
  .strictObject({
    ...settings,
    ports: z
      .record(z.string(), z.strictObject(settings))
      .optional()
      .meta({ description: 'What differs at one port, by its name or number.' }),
  })
  .meta({ description: 'Active health checks; without this there are none.' });
