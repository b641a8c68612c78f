import { drillFromFile } from '../scenario/from-file.ts';

/** `make drill-overload`: an IDC is lost whose load is several times the capacity of the other one. */
export const overloadDrill = drillFromFile({
  name: 'overload',
  summary: 'lose an IDC whose load is three times the capacity of the other one',
  description:
    'Start two IDCs; the instances of the second have a small capacity, 0.6 of which its own users take. Kill the instances of the first, whose users send three times the capacity of the second. Judges that the second serves up to its capacity, its own users first, and that other requests are refused at once, with a reason, and not retried over and over.',
  unprotected:
    'declare no capacity, so that requests from the other IDC are not limited: the negative control',
  rates: { own: 40, 'own-edge': 8, spilled: 216, 'spilled-post': 24 },
  variants: {
    flag: {
      name: 'loses',
      value: 'what',
      description:
        'What the second IDC loses meanwhile: nothing, or one instance and one ingress gateway (both).',
    },
    files: { nothing: 'overload', both: 'overload-both' },
  },
});
