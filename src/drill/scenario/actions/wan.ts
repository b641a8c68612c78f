import { z } from 'zod';
import type { LinkConditions } from '../../faults/wan.ts';
import { count, durationField, idcNameField, msOf, parseShare, percentage } from '../document/fields.ts';
import { idcFaults } from '../document/names.ts';
import { action } from './action.ts';

const link = z
  .strictObject({
    from: idcNameField,
    to: idcNameField,
    both: z.boolean().optional().meta({ description: 'Also in the opposite direction.', default: false }),
    cut: z.boolean().optional().meta({ description: 'Drops all packets.', default: false }),
    delay: durationField.optional(),
    loss: percentage.optional().meta({ description: 'Share of packets that are lost, each independently.' }),
    kbit: count(8, 10_000_000).optional().meta({ description: 'Kilobits a second.' }),
  })
  .meta({ description: 'Network conditions from one IDC to another; those not given are reset.' });

type LinkValue = z.infer<typeof link>;

/** Changes the network between IDCs. Without `cut`, `delay`, `loss` and `kbit` it is healthy again. */
export const wanAction = action({
  schema: z.union([link, z.array(link).min(1)]).meta({
    description:
      'Cuts, delays, loses or paces packets from one IDC to another, between their egress and ingress gateways (needs root).',
  }),
  words: (value) => [value].flat().map(linkWords).join(', '),
  check: (value, { idcs }) =>
    [value].flat().flatMap(({ from, to }, i) => {
      const at = Array.isArray(value) ? [i] : [];
      const unknown = [...idcFaults(from, idcs, 'from'), ...idcFaults(to, idcs, 'to')];
      if (unknown.length > 0)
        return unknown.map(({ path, message }) => ({ path: [...at, ...path], message }));
      return from === to ? [{ path: at, message: 'must be between two different IDCs.' }] : [];
    }),
  async act(value, run, claim) {
    const { scene } = run;
    const ways = [value].flat().flatMap((each) => {
      const { from, to, both } = each;
      const conditions = conditionsOf(each);
      return [{ from, to, conditions }, ...(both ? [{ from: to, to: from, conditions }] : [])];
    });
    const { moment } = await scene.step(claim, async () => {
      for (const { from, to, conditions } of ways) scene.stage.wan?.set(from, to, conditions);
      return undefined;
    });
    for (const { from, to, conditions } of ways) run.linked(from, to, conditions, moment);
  },
});

function conditionsOf({ cut, delay, loss, kbit }: LinkValue): LinkConditions {
  return {
    ...(cut && { cut }),
    ...(delay !== undefined && { delayMs: msOf(delay) }),
    ...(loss !== undefined && { loss: parseShare(loss) }),
    ...(kbit !== undefined && { kbit }),
  };
}

function linkWords({ from, to, both, cut, delay, loss, kbit }: LinkValue): string {
  const way = both ? `between ${from} and ${to}` : `from ${from} to ${to}`;
  const what = [
    ...(cut ? ['all dropped'] : []),
    ...(delay !== undefined ? [`delayed by ${delay}`] : []),
    ...(loss !== undefined ? [`${loss} lost`] : []),
    ...(kbit !== undefined ? [`${kbit} kbit/s`] : []),
  ];
  return `packets ${way}: ${what.length === 0 ? 'all arrive' : what.join(', ')}`;
}
