import { z } from 'zod';
import { machineClock } from '../../time.ts';
import { removeObject, saveObject } from '../../world/registry-files.ts';
import { count, durationField, idcNameField, msOf } from '../document/fields.ts';
import { idcFaults } from '../document/names.ts';
import { action } from './action.ts';

/** How long an Evacuation lasts by default: longer than any scenario. */
const lastsMs = 3_600_000;

/** An Evacuation is saved, changed or deleted in the registry of every IDC. */
export const evacuateAction = action({
  schema: z
    .strictObject({
      idc: idcNameField,
      percent: count(0, 100).meta({ description: '0 ends it: the object is deleted.' }),
      for: durationField
        .optional()
        .meta({ description: 'Time after which it expires by itself.', default: '1h' }),
    })
    .meta({ description: 'An Evacuation in each IDC’s registry (docs/objects.md).' }),
  words: ({ idc, percent }) =>
    percent === 0 ? `the evacuation of ${idc} ends` : `${percent} % of ${idc} is evacuated`,
  check: ({ idc }, { idcs }) => idcFaults(idc, idcs),
  async act({ idc, percent, for: lasts }, run, claim) {
    const { scene } = run;
    const { topology, paths } = scene.stage;
    const name = `evacuation-${idc}`;
    const expires = new Date(machineClock.wall() + (lasts === undefined ? lastsMs : msOf(lasts)));
    const object = {
      apiVersion: 'isthmus.dev/v1alpha1',
      kind: 'Evacuation',
      metadata: { name },
      spec: { idc, percent, expires: expires.toISOString().replace(/\.\d+Z$/, 'Z') },
    };
    const { moment } = await scene.step(claim, async () => {
      for (const each of topology.idcs) {
        const dir = paths.registry(each.name);
        if (percent === 0) removeObject(dir, name);
        else saveObject(dir, name, object);
      }
      return undefined;
    });
    run.evacuated(idc, percent, moment);
  },
});
