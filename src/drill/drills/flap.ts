import { drillFromFile } from './from-file.ts';

/** `make drill-flap`: the instances of an IDC go and come, again and again. */
export const flapDrill = drillFromFile({
  name: 'flap',
  summary: 'let the instances of one IDC go and come, again and again',
  description:
    'Start two IDCs with two Groups that are alike, but that one asks for `failback`. Kill the instances of one IDC and start them again, several times. Judges that the requests of the Group that comes home in steps change sides twice: away, and home when it is over.',
  unprotected: 'neither Group comes home in steps: the negative control',
  rates: { caller: 120 },
});
