import t from 'tap';
import { eventText } from '../../src/cli/events/event-text.ts';
import type { ToldEvent } from '../../src/client/events-client.ts';
import { lineOf } from '../../src/events/lines.ts';

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

t.test('gateways that do not answer have their names, instances their addresses', async (t) => {
  const event: ToldEvent = {
    ...{ id: 1, at: begin.at, kind: 'reach', phase: 'hung' },
    targets: ['10.0.0.2:15444', '10.1.1.1:8080'],
    gateways: { '10.0.0.2:15444': 'sh-a/egress-2' },
  };
  const names = 'sh-a/egress-2 (10.0.0.2:15444), 10.1.1.1:8080';
  t.equal(eventText(event), `no answer from ${names}: considered HUNG`);
  t.equal(eventText({ ...event, phase: 'back' }), `reached again, or removed: ${names}`);
  const { gateways: _, ...earlier } = event;
  t.match(eventText(earlier), /^no answer from 10\.0\.0\.2:15444, /, 'an event of an earlier version');
});

t.test('a failover names the IDC that can take over, in words and in the log', async (t) => {
  const { id: _, at: __, ...event } = begin;
  const { to: ___, ...nowhere } = event;
  const told = (more: Partial<Failover>) => {
    const one = { ...nowhere, instances: 2, why: 'proxies' as const, ...more };
    const words = eventText({ id: 1, at: '', ...one }).replace(/^.*FAILED OVER, (.*?): none.*$/, '$1');
    return [words, lineOf(one)?.message];
  };
  const usual = 'failover: no instance here can serve';
  t.strictSame(told({ to: 'sh-b' }), ['requests go to sh-b', usual]);
  t.strictSame(told({}), ['no other IDC may serve it', usual]);
  t.strictSame(told({ to: 'sh-c', unable: ['sh-b'] }), ['requests go to sh-c (sh-b not able to)', usual]);
  const nobody = 'failover: nobody is known to serve';
  t.strictSame(told({ unable: ['sh-b'] }), ['nobody is known to serve it, sh-b is not able to', nobody]);
  t.strictSame(told({ unable: ['sh-b', 'sh-c'] }), [
    'nobody is known to serve it, sh-b, sh-c are not able to',
    nobody,
  ]);
});
