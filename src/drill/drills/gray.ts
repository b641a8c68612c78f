import { drillFromFile } from '../scenario/from-file.ts';

/** `make drill-gray`: an instance passes its checks and fails a part of its requests. */
export const grayDrill = drillFromFile({
  name: 'gray',
  summary: 'let an instance fail 5 % of its requests, or never answer 10 % of them',
  description:
    'Start two IDCs, three instances in one of them. One fails 5 % of its requests, then another never answers 10 %, then all fail 1 %; all pass their health checks. Judges that the faulty one is ejected soon and stays ejected, that no other is ejected, and that no request fails.',
  unprotected: 'eject only for failures in a row: the negative control',
  rates: { caller: 260 },
});
