import { leadMs } from '../../scene.ts';
import { machineClock } from '../../time.ts';
import { durationField, msOf } from '../document/fields.ts';
import { load, loadShapeOf, streamOf } from '../document/load.ts';
import { action } from './action.ts';

/** More load, for a time. */
export const overloadAction = action({
  schema: load
    .extend({ for: durationField.optional().meta({ description: 'Default: to the end of the phase.' }) })
    .meta({
      description:
        'More load beside that of `load`. It begins a second later, because its client must start.',
    }),
  words: (entry) => `more load: ${streamOf(entry)}, to ${entry.to.join(', ')}`,
  async act(entry, { scene, phase }, claim) {
    const from = machineClock.now() + leadMs;
    const durationMs = entry.for === undefined ? phase.to - from : msOf(entry.for);
    const shape = loadShapeOf(scene.stage.topology, entry, scene.rates);
    await scene.step(claim, async () => {
      scene.startLoad({ ...shape, durationMs }, from);
      return undefined;
    });
  },
});
