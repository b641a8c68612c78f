import t from 'tap';
import { previewPush } from '../../../src/plane/reading/push-preview.ts';
import { idc, serviceEntry, workloadEntry } from '../../index/fixture.ts';

const deciding = { idc: 'sh-a', hopLimit: 1, loopPrevention: 'on', classes: [] } as const;
const instance = (name: string, address: string) =>
  workloadEntry(`shop/${name}`, { app: 'a' }, { address, locality: 'sh-a' });
const entry = serviceEntry('shop/a', ['a.shop'], { workloadSelector: { app: 'a' } });

t.test('instances are shown as they can be connected to, also by IPv6', async (t) => {
  const [one, two] = [instance('one', '10.0.0.1'), instance('two', 'fd00::1')];
  const common = [idc('sh-a'), entry];
  t.strictSame(previewPush(deciding, [...common, one], [...common, two], 0), {
    hosts: [
      {
        host: 'a.shop',
        change: 'changed',
        instancesAdded: ['[fd00::1]:8080'],
        instancesRemoved: ['10.0.0.1:8080'],
      },
    ],
    classes: [],
  });
});
