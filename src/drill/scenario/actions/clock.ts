import { z } from 'zod';
import { stepClock } from '../../faults/clock-file.ts';
import { durationField, idcNameField, msOf } from '../document/fields.ts';
import { idcFaults } from '../document/names.ts';
import { type ActionFault, action } from './action.ts';

const value = z
  .strictObject({
    idc: idcNameField,
    ahead: durationField.optional(),
    behind: durationField
      .optional()
      .meta({ description: 'With neither `ahead` nor `behind`, the clock is right again.' }),
  })
  .meta({
    description: 'Steps the wall clock of the control plane of an IDC. Its monotonic clock does not change.',
  });

/** The wall clock of a control plane is stepped. */
export const clockAction = action({
  schema: value,
  words({ idc, ahead, behind }) {
    const how =
      ahead !== undefined ? `${ahead} ahead` : behind !== undefined ? `${behind} behind` : 'right again';
    return `the clock of the control plane of ${idc} is ${how}`;
  },
  check({ idc, ahead, behind }, { idcs }): ActionFault[] {
    const faults = idcFaults(idc, idcs);
    if (faults.length > 0 || ahead === undefined || behind === undefined) return faults;
    return [{ path: ['behind'], message: 'cannot be used with `ahead`: use one of them.' }];
  },
  async act({ idc, ahead, behind }, { scene }, claim) {
    const { paths, signal } = scene.stage;
    const offsetMs = ahead !== undefined ? msOf(ahead) : behind !== undefined ? -msOf(behind) : 0;
    await scene.step(claim, async () => {
      await stepClock(paths.clock(idc), offsetMs, signal);
      return undefined;
    });
  },
});
