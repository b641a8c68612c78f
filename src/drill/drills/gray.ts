import { drillFromFile } from './from-file.ts';

/** `make drill-gray`: an instance passes its checks and fails a part of its requests. */
export const grayDrill = drillFromFile({
  name: 'gray',
  summary: 'let an instance fail 5 % of its requests, or hang for a tenth of them',
  description:
    'Start two IDCs, three instances in one of them. One fails 5 % of its requests, then another hangs for a tenth, then all fail 1 %; all pass their health checks. Judges that the sick one is out soon and stays out, that nobody else ever is, and that no client noticed.',
  unprotected: 'eject for failures in a row alone: the negative control',
  rates: { caller: 260 },
});
