import t from 'tap';
import { splitLocality } from '../../../src/model/values/locality.ts';

t.test('a locality is an IDC, a zone and a subzone', async (t) => {
  const parts = (text: string) => Object.values(splitLocality(text));
  t.same(parts(''), ['', '', '']);
  t.same(parts('sh-a'), ['sh-a', '', '']);
  t.same(parts('sh-a/z1'), ['sh-a', 'z1', '']);
  t.same(parts('sh-a/z1/rack/7'), ['sh-a', 'z1', 'rack/7']);
});
