import t from 'tap';
import type { MeshView } from '../../src/index/view.ts';
import { findLostExits } from '../../src/who/gateways/exits.ts';
import type { GoneProxy } from '../../src/who/types.ts';
import { manualClock } from '../support/manual-clock.ts';

// Egress gateways of the own IDC that do not answer.

const at = { address: '10.1.0.3', sidecarPort: 90, ingressPort: 91 };
const view = {
  idcs: new Map([['sh-a', { meta: { name: 'sh-a' }, spec: { egress: [at] } }]]),
} as unknown as MeshView;
const left: GoneProxy = {
  node: 'out-1',
  scope: {
    ...{ role: 'egress', idc: 'sh-a' },
    ...{ sidecar: { address: '10.1.0.3', port: 90 }, ingress: { address: '10.1.0.3', port: 91 } },
  },
  goneForMs: 60_000,
};

t.test('since when one is not connected: however long the probes take', async (t) => {
  const clock = manualClock();
  const since = new Date(clock.wall() - 60_000).toISOString().replace('.000', '');
  const { lost, isCutOff } = await findLostExits(
    {
      ...{ idc: 'sh-a', clock, view: () => view, proxies: () => [], gone: () => [left] },
      async probe() {
        clock.leap(2_000);
        return 'silent';
      },
    },
    [],
  );
  t.equal(isCutOff, true);
  t.equal(clock.now(), 4_000, 'control: two probes, which took 4 s');
  t.strictSame(
    lost.map(({ why }) => why),
    [`not connected since ${since}, accepts connections and never answers`],
  );
});
