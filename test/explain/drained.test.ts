import t from 'tap';
import { fleet, health, instances, shop } from '../support/planes/explained-shop.ts';
import { explaining } from '../support/planes/explaining.ts';

// Drained instances are registered, and get nothing: that is not the same as that there are none.

const drained = { health: 'unhealthy', why: ['drained'] } as const;

t.test('all instances are drained, some, and the only one', async (t) => {
  const yaml = shop({ spec: health });
  const why = async (...names: string[]) => {
    const near = instances(
      ...['cart-1', 'cart-2', 'cart-3'].map((one) => (names.includes(one) ? drained : {})),
    );
    const explain = explaining({ yaml, proxies: fleet(near), drained: names });
    const answer = await explain('cart.shop', { whyNot: 'sh-b' });
    return [answer.by, answer.hops[0]?.choices[0]?.why];
  };
  t.strictSame(await why(), ['sh-a', '3 of 3 can serve']);
  t.strictSame(await why('cart-1'), ['sh-a', '2 of 2 can serve, and 1 more is drained']);
  t.strictSame(await why('cart-1', 'cart-2'), ['sh-a', '1 of 1 can serve, and 2 more are drained']);
  t.strictSame(await why('cart-1', 'cart-2', 'cart-3'), ['sh-b', 'all 3 instances of sh-a are drained']);
});

t.test('an IDC that has no instance, and one whose only instance is drained', async (t) => {
  const alone = shop({ spec: health })
    .split('---')
    .filter((one) => !/name: cart-[23],/.test(one));
  const one = explaining({ yaml: alone.join('---'), proxies: fleet([]), drained: ['cart-1'] });
  t.equal((await one('cart.shop')).hops[0]?.choices[0]?.why, 'the only instance of sh-a is drained');
  const none = explaining({
    yaml: alone.filter((text) => !text.includes('name: cart-1,')).join('---'),
    proxies: fleet([]),
  });
  t.equal((await none('cart.shop')).hops[0]?.choices[0]?.why, 'no instance of sh-a is registered');
});
