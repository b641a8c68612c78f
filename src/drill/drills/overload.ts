import { drillFromFile } from './from-file.ts';

/** `make drill-overload`: an IDC fails whose load is several times what the other one bears. */
export const overloadDrill = drillFromFile({
  name: 'overload',
  summary: 'let one IDC fail whose load is three times what the other one bears',
  description:
    'Start two IDCs; the instances of the second work on a few requests at once, and its own users take 0.6 of that. Kill the instances of the first, whose users send three times as much as the second bears, and judge that the second goes on: what it bears is served, its own users first, and what is refused is refused at once, in words, and not tried over and over.',
  unprotected: 'declare no capacity, so that nothing bounds what comes over: the negative control',
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
