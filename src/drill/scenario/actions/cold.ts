import { z } from 'zod';
import { planFault } from '../../faults/planned-fault.ts';
import { leaveCold } from '../../upstream/slots.ts';
import { instancesOf } from '../../world/parts.ts';
import { count, groupNameField, idcNameField } from '../document/fields.ts';
import { partsOf, targetFaults, targetWords } from '../target.ts';
import { action } from './action.ts';

/** Instances start with nothing warm. */
export const coldStartAction = action({
  schema: z
    .strictObject({
      idc: idcNameField,
      group: groupNameField.optional(),
      only: z.array(z.string()).min(1).optional(),
      factor: z.number().min(1).max(1000).meta({
        description: 'How many times longer the first request takes; this falls with each request.',
      }),
      calls: count(1, 1_000_000).meta({ description: 'Requests after which an instance is warm.' }),
    })
    .meta({
      description: 'Starts instances again, cold. Ends `kill` of these; running ones are killed first.',
    }),
  words: ({ factor, calls, ...target }) =>
    `${targetWords(target)}: start again cold, ${factor} times as slow at first and warm after ${calls} requests`,
  check: ({ factor, calls, ...target }, topology) => targetFaults(target, topology),
  async act({ factor, calls, ...target }, run, claim) {
    const { world, paths } = run.scene.stage;
    const parts = partsOf(target, world.parts);
    for (const instance of instancesOf(parts)) leaveCold(paths.cold(instance), { factor, calls });
    const alive = parts.filter((part) => world.running(part).alive());
    if (alive.length > 0)
      await run.inject(`kill -9 of ${targetWords(target)}`, [planFault('kill', alive, world)]);
    await run.heal(claim, parts);
  },
});
