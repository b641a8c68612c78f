import { z } from 'zod';
import { saveEdits } from '../../edits.ts';
import { idcOf } from '../../topology.ts';
import { count, idcName } from '../fields.ts';
import { partsOf, targetFaults, targets, targetWords } from '../target.ts';
import { action } from './action.ts';

/** Instances are deregistered. */
export const withdraw = action({
  schema: targets.meta({
    description: 'Instances leave their registry; done when no proxy has them any more.',
  }),
  words: (value) => `${targetWords(value)}: out of the registry`,
  check: targetFaults,
  act: (value, run, claim) => run.leave(claim, partsOf(value, run.scene.stage.world.parts)),
});

/** They come back. */
export const announce = action({
  schema: targets.meta({ description: 'Instances are back in their registry.' }),
  words: (value) => `${targetWords(value)}: back in the registry`,
  check: targetFaults,
  act: (value, run, claim) => run.comeBack(claim, partsOf(value, run.scene.stage.world.parts)),
});

/** Endpoints are edited while the phase goes on. */
export const edit = action({
  schema: z
    .strictObject({ idc: idcName, edits: count(1, 10_000) })
    .meta({ description: 'So many endpoint edits in an IDC’s registry, evenly over the rest of the phase.' }),
  words: ({ idc, edits }) => `${edits} endpoint edits in ${idc}`,
  check: ({ idc }, { idcs }) =>
    idcs.some(({ name, instances }) => name === idc && instances.length > 0)
      ? []
      : [{ path: ['idc'], message: `'${idc}' is no IDC with instances.` }],
  async act({ idc, edits }, run) {
    const { stage } = run.scene;
    const { to } = run.phase;
    const options = { ...stage, idc: idcOf(stage.topology, idc), first: run.edits(idc), count: edits };
    run.edited(idc, edits);
    run.beside(saveEdits({ ...options, fromMs: run.phase.from, toMs: to }, stage.signal));
  },
});
