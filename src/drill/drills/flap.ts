import { drillFromFile } from '../scenario/from-file.ts';

/** `make drill-flap`: the instances of an IDC are killed and started again, several times. */
export const flapDrill = drillFromFile({
  name: 'flap',
  summary: 'kill the instances of one IDC and start them again, several times',
  description:
    'Start two IDCs with two Groups that differ only in that one has `failback`. Kill the instances of one IDC and start them again, several times. Judges that the requests of the Group with `failback` change sides twice: away, and home at the end.',
  unprotected: 'both Groups fail back at once: the negative control',
  rates: { caller: 120 },
});
