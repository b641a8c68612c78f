import t from 'tap';
import { eventText } from '../../src/cli/events/event-text.ts';
import type { ToldEvent } from '../../src/client/events-client.ts';

// What events say in words.

type Failover = Extract<ToldEvent, { readonly kind: 'failover' }>;

const begin: Failover = {
  ...{ id: 1, at: '2026-11-30T03:00:00.000Z', kind: 'failover', phase: 'begin' },
  ...{ group: 'shop/a.shop:80', instances: 0, to: 'sh-b' },
};

t.test('a failover, by its cause and by what is drained', async (t) => {
  const ends = (more: Partial<Failover>) => eventText({ ...begin, ...more }).replace(/^.*sh-b: /, '');
  t.equal(ends({ why: 'drained', drained: 1 }), 'its only instance is drained');
  t.equal(ends({ why: 'drained', drained: 2 }), 'all 2 instances are drained');
  t.equal(ends({ why: 'registry' }), 'no instance is registered');
  t.equal(
    ends({ why: 'unreached', instances: 2, drained: 1 }),
    'none of 2 instances can serve (none accepts connections), and 1 more is drained',
  );
});
