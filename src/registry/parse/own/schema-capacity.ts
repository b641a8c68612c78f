import { z } from 'zod';
import {
  capacityLimits,
  concurrentFault,
  groupClasses,
  shareFault,
  sharePattern,
} from '../../../model/capacity.ts';

const concurrent = z
  .int({ error: `${concurrentFault}.` })
  .min(1, `${concurrentFault}.`)
  .max(capacityLimits.concurrentMax, `${concurrentFault}.`)
  .meta({
    description:
      'Requests that one instance works on at once without a queue: its workers or threads; or requests a second × seconds for one, at the load that it still bears well.',
  });

/** `spec.capacity` of an Idc. */
export const idcCapacity = z
  .strictObject({ concurrentPerInstance: concurrent })
  .meta({ description: 'What instances in this IDC bear, of Groups that do not say it themselves.' });

/** `spec.capacity` of a DrGroup. */
export const groupCapacity = z
  .strictObject({
    concurrentPerInstance: concurrent.optional(),
    idcs: z
      .record(z.string(), z.strictObject({ concurrentPerInstance: concurrent }))
      .optional()
      .meta({ description: 'The same, by the names of IDCs in which it differs.' }),
  })
  .meta({
    description:
      'What an instance bears: bounds what its IDC takes from others. Before `capacity` of the Idc.',
  });

const share = z.string({ error: `${shareFault}, in quotes or not.` }).regex(sharePattern, `${shareFault}.`);

/** `spec.spill` of a DrGroup. */
export const spill = z
  .strictObject({
    share: share.optional().meta({
      description: "What other IDCs may take up of the capacity of an IDC's instances.",
      default: '100%',
    }),
  })
  .meta({ description: 'What an IDC takes of requests that others cannot serve.' });

/** `spec.class` of a DrGroup. */
export const groupClass = z
  .enum(groupClasses, { error: `must be one of ${groupClasses.join(', ')}.` })
  .optional()
  .meta({
    description:
      'Critical Groups find room first: in an IDC that has any, the others take half of their share from other IDCs.',
    default: 'default',
  });

/** `spec.traffic.retryBudget` of a DrGroup. */
export const retryBudget = z
  .strictObject({
    requestsPerSecond: z
      .int({ error: `${concurrentFault}.` })
      .min(1, `${concurrentFault}.`)
      .max(capacityLimits.concurrentMax, `${concurrentFault}.`)
      .meta({
        description:
          'Requests a second of the Group at one proxy, when it is busy: what an outage breaks of them at one moment may always be tried again.',
      }),
    share: share.optional().meta({
      description: 'Of the requests that are under way at the proxy, where the Group never leaves its IDC.',
      default: '20%',
    }),
  })
  .meta({
    description:
      'Bounds the tries after the first that a first proxy has under way at once. Without it the connection pool does (maxRetries, 1,024).',
  });
