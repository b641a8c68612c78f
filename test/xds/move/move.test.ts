import t from 'tap';
import { firstFault, type Hardships } from './move-run.ts';

const runs: Readonly<Record<string, Hardships>> = {
  'moves and changes': {},
  'streams that end, and classes that are dropped': { reconnects: true, drops: true },
  'requests in slices, and moves in between': { inSlices: true },
  'resources that are refused': { bad: 0.2 },
  'all of it': { bad: 0.2, reconnects: true, drops: true, inSlices: true },
};

for (const [name, hardships] of Object.entries(runs))
  t.test(`120 random runs: ${name}`, async (t) => t.equal(await firstFault(120, hardships), undefined));

t.test('negative control: removals that wait for nothing', async (t) => {
  const fault = await firstFault(120, { seams: { breakFirst: true } });
  t.match(fault, /lacks/, 'something in use names what is not there');
});

t.test('negative control: what was confirmed in the earlier class', async (t) => {
  const fault = await firstFault(120, { seams: { keepConfirmed: true } });
  t.match(
    fault,
    /endpoints of .* and \d+ is confirmed/,
    'a removal counts as arrived because its proxy moved',
  );
});
