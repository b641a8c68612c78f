import t from 'tap';
import { closest, didYouMean } from '../../src/base/text/suggest.ts';

t.test('the closest candidate, if one is close', async (t) => {
  t.equal(closest('adress', ['name', 'address']), 'address');
  t.equal(closest('port', ['labels']), undefined);
  t.equal(didYouMean('htp', ['http', 'grpc']), " Did you mean 'http'?");
});

t.test('of equally close candidates the first by name, in whatever order they come', async (t) => {
  for (const order of [
    ['sh-a', 'sh-b', 'sh-c'],
    ['sh-c', 'sh-b', 'sh-a'],
  ])
    t.equal(closest('sh-x', order), 'sh-a', order.join());
});
