import { z } from 'zod';
import { machineClock } from '../../time.ts';
import { saveEdits } from '../../world/edits.ts';
import { idcOf } from '../../world/topology.ts';
import { count, idcNameField } from '../document/fields.ts';
import { idcFaults } from '../document/names.ts';
import { partsOf, type Targets, targetFaults, targets, targetWords } from '../target.ts';
import { type Action, action } from './action.ts';

/** As for every target; and instances that register themselves stand in no folder. */
const listedFaults: NonNullable<Action<Targets>['check']> = (value, topology) => [
  ...targetFaults(value, topology),
  ...[value].flat().flatMap(({ group, idc }, i) => {
    const own = topology.idcs.find(({ name }) => name === idc)?.instances ?? [];
    const registers = own.some(
      (each) => each.group.registers && (group ?? each.group.name) === each.group.name,
    );
    const path = Array.isArray(value) ? [i] : [];
    return registers ? [{ path, message: 'names instances that register themselves: use kill.' }] : [];
  }),
];

/** Instances are deregistered. */
export const withdrawAction = action({
  schema: targets.meta({
    description: 'Removes instances from their registry; done when no proxy has them any more.',
  }),
  words: (value) => `${targetWords(value)}: out of the registry`,
  check: listedFaults,
  act: (value, run, claim) => run.leave(claim, partsOf(value, run.scene.stage.world.parts)),
});

/** They come back. */
export const announceAction = action({
  schema: targets.meta({ description: 'Puts instances back into their registry.' }),
  words: (value) => `${targetWords(value)}: back in the registry`,
  check: listedFaults,
  act: (value, run, claim) => run.comeBack(claim, partsOf(value, run.scene.stage.world.parts)),
});

/** Endpoints are edited while the phase goes on. */
export const editAction = action({
  schema: z.strictObject({ idc: idcNameField, edits: count(1, 10_000) }).meta({
    description: 'Makes `edits` endpoint edits in an IDC’s registry, evenly over the rest of the phase.',
  }),
  words: ({ idc, edits }) => `${edits} endpoint edits in ${idc}`,
  check({ idc }, { idcs }) {
    const faults = idcFaults(idc, idcs);
    const own = idcs.find(({ name }) => name === idc);
    if (!own || own.instances.some(({ group }) => !group.registers)) return faults;
    return [{ path: ['idc'], message: `'${idc}' has no instances in its folder, so there is none to edit.` }];
  },
  async act({ idc, edits }, run) {
    const { stage } = run.scene;
    const { from, to } = run.phase;
    const options = { ...stage, idc: idcOf(stage.topology, idc), first: run.edits(idc), count: edits };
    run.edited(idc, edits);
    run.beside(saveEdits({ ...options, fromMs: Math.max(from, machineClock.now()), toMs: to }, stage.signal));
  },
});
