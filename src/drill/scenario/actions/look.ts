import { z } from 'zod';
import { checkSidecarsKnowOnlyHome } from '../../measure/isolation.ts';
import { action } from './action.ts';

/** A look at the callers while something is broken. */
export const lookAction = action({
  schema: z
    .literal('isolation', { error: 'must be isolation.' })
    .meta({ description: 'Checks whether callers know addresses of other IDCs now.' }),
  words: () => 'callers are checked for addresses of other IDCs',
  async act(_, { scene }) {
    const when = 'in the outage';
    scene.found({
      [`sidecars ${when}`]: await checkSidecarsKnowOnlyHome(scene.stage.world, ['caller'], when),
    });
  },
});
