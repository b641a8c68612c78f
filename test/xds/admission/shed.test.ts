import t from 'tap';
import { shed } from '../../../src/xds/admission/shed.ts';
import { namesOf } from '../../support/attacks/call.ts';
import { story } from '../story.ts';

t.test(
  'the stream with the most names of its own ends, and what is kept of names is forgotten',
  async (t) => {
    const s = story();
    await s.apply([]);
    const [small, large] = [s.connect('delta'), s.connect('delta')];
    small.send('EDS', { resource_names_subscribe: namesOf(2_000, 'a') });
    large.send('EDS', { resource_names_subscribe: namesOf(20_000, 'b') });
    t.ok(s.hub.sets.recentBytes > 2 ** 20);
    t.ok(shed(s.hub, 'full', false), 'room was made');
    t.equal(s.hub.sets.recentBytes, 0);
    t.strictSame([small.refused, large.refused], [[], []], 'and nobody ended');
    t.notOk(shed(s.hub, 'full', false));
    t.ok(shed(s.hub, 'full', true));
    t.match(large.refused, [/^full, and this stream has the most names that no other stream subscribes to/]);
    t.ok(shed(s.hub, 'full', true));
    t.equal(small.refused.length, 1);
    t.notOk(shed(s.hub, 'full', true));
  },
);

t.test('where nobody has many names, who is about to have them ends', async (t) => {
  const s = story();
  await s.apply([]);
  const [quiet, asking] = [s.connect('delta'), s.connect('delta', 'k', 'asks', true)];
  quiet.send('EDS', { resource_names_subscribe: ['a'] });
  asking.send('EDS', { resource_names_subscribe: namesOf(20_000, 'b') });
  asking.step();
  t.notOk(shed(s.hub, 'full', false));
  t.ok(shed(s.hub, 'full', true));
  t.match(asking.refused, [/^full, and this stream asks for much/]);
  t.strictSame(quiet.refused, []);
});
