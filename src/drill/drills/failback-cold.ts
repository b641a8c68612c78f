import { drillFromFile } from './from-file.ts';

/** `make drill-failback-cold`: an IDC comes back cold, to one Group in steps, to another at once. */
export const failbackColdDrill = drillFromFile({
  name: 'failback-cold',
  summary: 'lose an IDC whose instances come back cold',
  description:
    'Start two IDCs with two Groups that are alike, but that one asks for `failback`. Kill the instances of one IDC, start them again, ten times as slow as before for 250 requests each. Judges that the Group that comes home in steps has no worse second than half of what the other one has.',
  unprotected: 'neither Group comes home in steps: the negative control',
  rates: { caller: 200 },
});
