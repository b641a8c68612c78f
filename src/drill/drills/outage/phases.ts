import type { PhaseSeconds } from '../../phases.ts';

/** From healing to the end is just over the bound on failing back (10 s): what is not back by then is too late. */
export const defaultPhases: PhaseSeconds = { steady: 5, outage: 8, recovery: 6, 'steady again': 5 };

/** The same for a whole site, whose control plane and gateways start as well. */
export const siteRecoverySeconds = 16;

/** For a look in passing, and for the negative control: too short to see a late failback. */
export const quickPhases: PhaseSeconds = { steady: 3, outage: 5, recovery: 6, 'steady again': 3 };
