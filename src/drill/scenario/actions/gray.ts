import { z } from 'zod';
import { watchEjected } from '../../measure/ejected.ts';
import { type Grayness, makeGray } from '../../upstream/gray.ts';
import { instancesOf } from '../../world/parts.ts';
import { count, groupNameField, idcNameField, parseShare, percentage } from '../document/fields.ts';
import { partsOf, targetFaults, targetWords } from '../target.ts';
import { action } from './action.ts';

/** Instances pass their checks and fail a part of their requests. */
export const grayAction = action({
  schema: z
    .strictObject({
      idc: idcNameField,
      group: groupNameField.optional(),
      count: count(1, 54).optional(),
      only: z.array(z.string()).min(1).optional(),
      errs: percentage
        .optional()
        .meta({ description: 'Share of its requests that are answered with 503 at once.' }),
      hangs: percentage.optional().meta({ description: 'Share of its requests that are never answered.' }),
    })
    .meta({
      description:
        'Instances pass their health checks and fail a random part of their requests. Without `errs` and `hangs` they are healthy again.',
    }),
  words: ({ errs, hangs, ...target }) =>
    `${targetWords(target)}: ${sicknessOf({ errs, hangs }) ?? 'well again'}`,
  check: ({ errs, hangs, ...target }, topology) => targetFaults(target, topology),
  async act({ errs, hangs, ...target }, run, claim) {
    const { stage } = run.scene;
    const instances = instancesOf(partsOf(target, stage.world.parts));
    const to: Grayness = {
      ...(errs !== undefined && { errs: parseShare(errs) }),
      ...(hangs !== undefined && { hangs: parseShare(hangs) }),
    };
    const { moment } = await run.scene.step(claim, async () => {
      await Promise.all(instances.map((instance) => makeGray(stage.paths.socket(instance), to)));
      return undefined;
    });
    const what = sicknessOf({ errs, hangs });
    if (what === undefined) return;
    const { phase } = run;
    const looks = watchEjected(stage, target.idc, phase.to);
    const sick = instances.map(({ idc, name }) => `${idc}/${name}`);
    run.sicken({ phase: phase.name, what, sick, from: moment.to, to: phase.to }, looks);
  },
});

function sicknessOf({
  errs,
  hangs,
}: {
  errs?: string | undefined;
  hangs?: string | undefined;
}): string | undefined {
  const parts = [
    ...(errs === undefined ? [] : [`fails ${errs} of its requests`]),
    ...(hangs === undefined ? [] : [`never answers ${hangs} of its requests`]),
  ];
  return parts.length === 0 ? undefined : parts.join(' and ');
}
