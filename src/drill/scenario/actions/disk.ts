import { z } from 'zod';
import { fillDisk, freeDisk } from '../../faults/disk.ts';
import type { Topology } from '../../world/topology.ts';
import { idcNameField } from '../document/fields.ts';
import { idcFaults } from '../document/names.ts';
import { type ActionFault, action } from './action.ts';

const place = z.strictObject({ idc: idcNameField });

function diskFaults({ idc }: z.infer<typeof place>, { idcs, plan }: Topology): ActionFault[] {
  const faults = idcFaults(idc, idcs);
  if (faults.length > 0 || plan.diskKib !== undefined) return faults;
  return [{ path: [], message: 'needs a small disk: give the world `diskKib`, such as 4096.' }];
}

/** Fills the disk of a control plane. */
export const fillAction = action({
  schema: place.meta({
    description:
      'Fills the disk on which the control plane of an IDC keeps registrations and state to the last page.',
  }),
  words: ({ idc }) => `the disk of the control plane of ${idc} is full`,
  check: diskFaults,
  async act({ idc }, { scene }, claim) {
    const { topology, paths } = scene.stage;
    await scene.step(claim, async () => {
      fillDisk(paths.disk(idc), 1024 * (topology.plan.diskKib ?? 0));
      return undefined;
    });
  },
});

/** It has room again. */
export const freeAction = action({
  schema: place.meta({ description: 'Ends `fill`.' }),
  words: ({ idc }) => `the disk of the control plane of ${idc} has room again`,
  check: diskFaults,
  async act({ idc }, { scene }, claim) {
    await scene.step(claim, async () => {
      freeDisk(scene.stage.paths.disk(idc));
      return undefined;
    });
  },
});
