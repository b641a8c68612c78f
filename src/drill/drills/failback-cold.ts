import { drillFromFile } from '../scenario/from-file.ts';

/** `make drill-failback-cold`: an IDC comes back cold, to one Group in steps, to another at once. */
export const failbackColdDrill = drillFromFile({
  name: 'failback-cold',
  summary: 'lose an IDC whose instances come back cold',
  description:
    'Start two IDCs with two Groups that differ only in that one has `failback`. Kill the instances of one IDC, start them again cold: ten times as slow at first, warm after 250 requests each. Judges that the worst second of the Group with `failback` is at most half as bad as that of the other.',
  unprotected: 'both Groups fail back at once: the negative control',
  rates: { caller: 200 },
});
