import { z } from 'zod';
import type { FaultKind } from '../../faults/loss.ts';
import { faultWords, planFault } from '../../faults/planned-fault.ts';
import { partsOf, type Targets, targetFaults, targets, targetWords } from '../target.ts';
import { type Action, action } from './action.ts';

/** A loss of one kind. */
function striking(kind: FaultKind, description: string): Action<Targets> {
  return action({
    schema: targets.meta({ description }),
    words: (value) => faultWords[kind](targetWords(value)),
    check: targetFaults,
    inject(value, { scene }) {
      const { world, network } = scene.stage;
      const sites = [value].flat().flatMap(({ idc, what }) => (what === 'site' ? [idc] : []));
      // Clients that stand in a site die with it.
      const others = () =>
        scene.loads
          .filter(({ idc }) => idc !== undefined && sites.includes(idc))
          .map(({ running }) => running);
      return planFault(kind, partsOf(value, world.parts), world, { network, others });
    },
  });
}

/** `kill -9`, all at once. */
export const killAction = striking('kill', 'kill -9, all at once.');
/** SIGSTOP. */
export const stopAction = striking('stop', 'SIGSTOP: connections stay open, and no answers come.');

/** Packets to instances vanish. */
export const dropAction: Action<Targets> = {
  ...striking('drop', 'Drops packets to instances of one IDC silently (needs root).'),
  check(value, topology) {
    const wrong = [value].flat().findIndex(({ what = 'instances' }) => what !== 'instances');
    if (wrong < 0) return targetFaults(value, topology);
    const path = Array.isArray(value) ? [wrong, 'what'] : ['what'];
    return [
      { path, message: 'must be instances: only packets to instances can be dropped. Use `stop`, or `wan`.' },
    ];
  },
};

/** Heals faults. */
export const healAction = action({
  schema: z
    .union([z.literal('all'), targets], { error: 'must be all, or targets as of `kill`.' })
    .meta({ description: 'Ends `kill` (start again), `stop` (SIGCONT) and `drop` of all, or of these.' }),
  words: (value) => (value === 'all' ? 'healing begins' : `healing of ${targetWords(value)} begins`),
  check: (value, topology) => (value === 'all' ? [] : targetFaults(value, topology)),
  act: (value, run, claim) =>
    run.heal(claim, value === 'all' ? undefined : partsOf(value, run.scene.stage.world.parts)),
});
