import { drillFromFile } from '../scenario/from-file.ts';

/** The ways in which an IDC is lost: one scenario file each. */
export const outageKinds = ['kill', 'stop', 'drop', 'partial', 'gateway', 'site'] as const;

/** `make drill`: an IDC is lost, in one of several ways, and comes back. */
export const outageDrill = drillFromFile({
  name: 'outage',
  summary: 'lose the instances of one IDC, or all of it',
  description:
    'Start two IDCs of real Envoys, send an open-loop load, take one of them down, bring it back, and judge what the clients saw.',
  unprotected: 'let no request cross between IDCs: the negative control',
  rates: { caller: 500, edge: 100 },
  variants: {
    flag: { name: 'outage', value: 'kind', description: 'what happens to sh-a' },
    files: Object.fromEntries(outageKinds.map((kind) => [kind, `outage-${kind}`])),
  },
});
