import t from 'tap';
import { seededRandom } from '../../src/base/random.ts';
import { mergeSpill } from '../../src/model/capacity.ts';
import type { Idc } from '../../src/model/idc.ts';
import { concurrentPerInstance, type SpillInput, spillLimit, spillShare } from '../../src/plan/capacity.ts';

const limit = (input: Partial<SpillInput>) =>
  spillLimit({ instances: 2, concurrentPerInstance: 2, sharePercent: 100, gateways: 1, ...input });

t.test('a limit, as a table', async (t) => {
  const rows: readonly [Partial<SpillInput>, number][] = [
    [{}, 4],
    [{ gateways: 2 }, 2],
    [{ gateways: 3 }, 2],
    [{ gateways: 8 }, 1],
    [{ sharePercent: 50 }, 2],
    [{ sharePercent: 30 }, 2],
    [{ sharePercent: 1 }, 1],
    [{ instances: 0 }, 1],
    [{ gateways: 0 }, 4],
    [{ instances: 3, concurrentPerInstance: 10, sharePercent: 10, gateways: 3 }, 1],
    // 0.1 has no exact binary form: nothing is rounded up for that.
    [{ instances: 10, concurrentPerInstance: 7, sharePercent: 10 }, 7],
  ];
  for (const [input, expected] of rows) t.equal(limit(input), expected, JSON.stringify(input));
});

t.test('what holds for any of them', async (t) => {
  const random = seededRandom(94);
  const whole = (most: number) => 1 + Math.floor(random() * most);
  let wrong = '';
  for (let i = 0; i < 20_000 && wrong === ''; i += 1) {
    const input = {
      instances: whole(1_000),
      concurrentPerInstance: whole(10_000),
      sharePercent: whole(100),
      gateways: whole(20),
    };
    const each = spillLimit(input);
    const borne = (input.instances * input.concurrentPerInstance * input.sharePercent) / 100;
    const more = (change: Partial<SpillInput>) => spillLimit({ ...input, ...change });
    const holds =
      Number.isInteger(each) &&
      each >= 1 &&
      // All gateways together let in what the instances bear, and less than one more for each.
      each * input.gateways >= borne - 1e-6 &&
      (each - 1) * input.gateways < borne + 1e-6 &&
      more({ instances: input.instances + 1 }) >= each &&
      more({ concurrentPerInstance: input.concurrentPerInstance + 1 }) >= each &&
      more({ gateways: input.gateways + 1 }) <= each;
    if (!holds) wrong = `${JSON.stringify(input)}: ${each}`;
  }
  t.equal(wrong, '');
});

t.test('precedence of declared capacities', async (t) => {
  const idc = (name: string, capacity?: number): Idc => ({
    kind: 'Idc',
    meta: { name, namespace: '', labels: {}, annotations: {}, origin: 'test' },
    spec: {
      ingress: [],
      egress: [],
      ...(capacity === undefined ? {} : { capacity: { concurrentPerInstance: capacity } }),
    },
  });
  const group = { concurrentPerInstance: 8, concurrentByIdc: { 'sh-b': 4 } };
  t.equal(concurrentPerInstance(undefined, undefined), undefined);
  t.equal(concurrentPerInstance(undefined, idc('sh-a')), undefined);
  t.equal(concurrentPerInstance(undefined, idc('sh-a', 2)), 2);
  t.equal(concurrentPerInstance(group, idc('sh-a', 2)), 8);
  t.equal(concurrentPerInstance(group, idc('sh-b', 2)), 4);
  t.equal(concurrentPerInstance({ concurrentByIdc: { 'sh-b': 4 } }, idc('sh-a', 2)), 2);
  t.equal(concurrentPerInstance({ concurrentByIdc: {} }, idc('constructor')), undefined);
  t.equal(concurrentPerInstance(mergeSpill(group, { concurrentPerInstance: 3 }), idc('sh-b', 2)), 3);
  t.equal(concurrentPerInstance(mergeSpill(group, { class: 'critical' }), idc('sh-b', 2)), 4);
});

t.test('a share, by class', async (t) => {
  t.equal(spillShare(undefined, false), 100);
  t.equal(spillShare(undefined, true), 50);
  t.equal(spillShare({ class: 'default', sharePercent: 30 }, true), 15);
  t.equal(spillShare({ class: 'critical', sharePercent: 30 }, true), 30);
  t.equal(spillShare({ class: 'critical' }, false), 100);
});
