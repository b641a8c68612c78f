import t from 'tap';
import type { GoneProxy } from '../../src/who/types.ts';
import { dead, farAlive, fleet, health, instances, shop, way } from '../support/planes/explained-shop.ts';
import { type ConnectedProxy, explaining } from '../support/planes/explaining.ts';

// Envoys keep the last egress gateway in use, dead or alive. What the control plane knows of it decides. Real
// ones are killed and stopped in test/feature/lost-exit.test.ts.

const yaml = shop({ spec: health });
const gone = instances(dead, dead, dead);
/** The proxies of sh-a without its egress gateway. */
const without = (near = gone): ConnectedProxy[] => fleet(near).filter(({ node }) => node !== 'out-1');
const left: GoneProxy = {
  node: 'out-1',
  scope: {
    ...{ role: 'egress', idc: 'sh-a' },
    ...{ sidecar: { address: '10.1.0.3', port: 90 }, ingress: { address: '10.1.0.3', port: 91 } },
  },
  goneForMs: 60_000,
};

t.test('the only egress gateway is dead: nobody serves it, and why', async (t) => {
  const explain = explaining({
    ...{ yaml, proxies: without(), gone: [left], dead: { '10.1.0.3:90': 'refused' } },
  });
  for (const from of ['sh-a/caller', 'sh-a/in-1']) {
    const answer = await explain('cart.shop', { from, whyNot: 'sh-b' });
    t.match(answer, { served: 'nobody', status: 503 }, from);
    const since = 'not connected since \\d{4}-\\d\\d-\\d\\dT[\\d:]+Z, accepts no connection';
    t.match(
      answer.summary,
      new RegExp(
        `^NOBODY serves it \\(503\\): no instance of sh-a can serve, and no egress gateway of sh-a can be used \\(sh-a/egress-1: ${since}\\)\\.$`,
      ),
    );
    const exit = answer.hops[0]?.choices[1];
    t.match(exit, { percent: 0, isChosen: false, why: 'no egress gateway can be reached' });
    t.match(exit?.hosts, [{ health: 'unhealthy', isUsable: false, why: new RegExp(`^${since}$`) }]);
    t.strictSame(answer.whyNot?.reasons, [
      'The request does not get as far: no egress gateway can be reached.',
    ]);
    t.strictSame(way(await explain('cart.shop', { from, if: ['sh-a/egress-1=up'] })).at(-1), 'sh-b');
  }
});

t.test('while instances serve, the lost gateway is shown, and that it could not be reached', async (t) => {
  const explain = explaining({
    ...{ yaml, proxies: without(instances()), dead: { '10.1.0.3:90': 'silent' } },
  });
  const answer = await explain('cart.shop', { whyNot: 'sh-b' });
  t.equal(answer.served, 'here');
  t.match(answer.hops[0]?.choices[1]?.hosts, [
    { isUsable: false, why: 'not connected, accepts connections and never answers' },
  ]);
  t.equal(answer.whyNot?.reasons.at(-1), 'It could not be reached now: no egress gateway can be reached.');
});

t.test(
  'while instances serve, an IDC whose gateways are dead is not said to be able to take over',
  async (t) => {
    const lastReason = async (...[b, question]: [typeof dead, object?]) => {
      const explain = explaining({ yaml, proxies: fleet(instances(), farAlive(b)) });
      const answer = await explain('cart.shop', { whyNot: 'sh-b', ...question });
      t.equal(answer.served, 'here');
      return answer.whyNot?.reasons.at(-1) ?? '';
    };
    const begin =
      'It could not now: no ingress gateway of sh-b can be used at an egress gateway of sh-a: sh-b/ingress-1';
    const lost = await lastReason(dead);
    t.ok(lost.startsWith(`${begin} (health check times out), sh-b/ingress-2 (`), lost);
    t.match(lost, /either the gateway is down, or it has no instance that can serve\.$/);
    const assumed = await lastReason({}, { if: ['sh-b=down'] });
    t.ok(assumed.startsWith(`${begin} (assumed down)`), assumed);
    const alive = await lastReason({});
    t.equal(alive, 'sh-b takes over once fewer than half of them can serve.', 'control');
  },
);

t.test('a gateway that is not connected and answers serves with what it has', async (t) => {
  const answer = await explaining({ yaml, proxies: without(), gone: [left] })('cart.shop');
  t.match(answer, { served: 'away', by: 'sh-b' });
});

t.test('one that is connected and stopped: it cannot be read, and does not answer', async (t) => {
  const proxies = fleet(gone).map(({ clusters, ...one }) =>
    one.node === 'out-1' || clusters === undefined ? one : { ...one, clusters },
  );
  const answer = await explaining({ yaml, proxies, dead: { '10.1.0.3:90': 'silent' } })('cart.shop');
  t.equal(answer.served, 'nobody');
  t.match(answer.summary, /sh-a\/egress-1: connected, accepts connections and never answers/);
  t.equal((await explaining({ yaml, proxies })('cart.shop')).by, 'sh-b', 'one that only cannot be read');
});

t.test('one that is read is not probed: it has answered', async (t) => {
  const answer = await explaining({ yaml, proxies: fleet(gone), dead: { '10.1.0.3:90': 'silent' } })(
    'cart.shop',
  );
  t.equal(answer.by, 'sh-b');
});

t.test('one of two is lost: it is marked, and the other one is used', async (t) => {
  const two = yaml.replace(
    'egress: [{address: 10.1.0.3, sidecarPort: 90, ingressPort: 91}]',
    'egress: [{address: 10.1.0.3, sidecarPort: 90, ingressPort: 91}, {address: 10.1.0.4, sidecarPort: 90, ingressPort: 91}]',
  );
  const proxies = fleet(gone).map((one) => {
    const { egress = [], ...clusters } = one.clusters ?? {};
    const both = egress.flatMap((at) => [at, { address: at.address.replace('.3:', '.4:') }]);
    return { ...one, clusters: { ...clusters, ...(both.length === 0 ? {} : { egress: both }) } };
  });
  const answer = await explaining({ yaml: two, proxies, dead: { '10.1.0.4:90': 'refused' } })('cart.shop');
  t.equal(answer.by, 'sh-b');
  t.match(answer.hops[0]?.decision, /sends it to sh-a\/egress-1 \(out-1\)\.$/);
  t.match(answer.hops[0]?.choices[1]?.hosts, [
    { name: 'sh-a/egress-1', health: 'healthy' },
    { name: 'sh-a/egress-2', health: 'unhealthy', why: 'not connected, accepts no connection' },
  ]);
});
