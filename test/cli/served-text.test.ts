import t from 'tap';
import { servedText } from '../../src/cli/served-text.ts';
import type { ServedAnswer } from '../../src/client/who-client.ts';

const all: ServedAnswer = {
  ...{ idc: 'sh-a', at: '2026-11-30T03:00:00.000Z', groups: 5, notLookedAt: 0, unknown: 0 },
  ...{ notHere: [], alone: [], readAt: ['caller'], silent: [] },
};
const why = 'it does not say where: make its bootstrap anew, with --admin';
const silent: ServedAnswer['silent'] = [
  { node: 'caller', role: 'sidecar', why },
  { node: 'in-1', role: 'ingress', why },
];

t.test('what another IDC serves, or nobody: nobody first', async (t) => {
  const host = { namespace: 'shop', port: 80, instances: 2, usable: 0 };
  const notHere: ServedAnswer['notHere'] = [
    { ...host, host: 'a.shop', served: 'away', by: 'sh-b' },
    { ...host, host: 'b.shop', served: 'nobody' },
  ];
  t.strictSame(servedText({ ...all, notHere }), [
    '! b.shop:80: NOBODY serves it, 0 of 2 instances of sh-a can serve.',
    '! a.shop:80: served by sh-b, 0 of 2 instances of sh-a can serve.',
    'isthmus who b.shop shows instances and gateways.',
  ]);
  t.strictSame(servedText(all), []);
  t.strictSame(servedText(undefined), [], 'an earlier control plane does not say');
});

t.test('what no other IDC could take over: told in a line', async (t) => {
  const of = (name: string) => ({ host: `${name}.shop`, namespace: 'shop', port: 80 });
  t.strictSame(servedText({ ...all, alone: ['a', 'b', 'c', 'd'].map(of) }), [
    '! No other IDC could take over for sh-a: 4 of 5 Groups (a.shop:80, b.shop:80, c.shop:80 and 1 more).',
    'isthmus who a.shop shows the gateways of the other IDCs.',
  ]);
  const why = 'no egress gateway of sh-a answers (sh-a/egress-1: not connected, accepts no connection)';
  t.strictSame(servedText({ ...all, alone: [{ ...of('a'), why }] }), [
    `! No other IDC could take over for sh-a: 1 of 5 Groups (a.shop:80), as ${why}.`,
  ]);
  const { alone: _, ...earlier } = all;
  t.strictSame(servedText(earlier as ServedAnswer), [], 'an earlier control plane does not say');
});

t.test('it is told that nobody can tell, and why', async (t) => {
  t.strictSame(servedText({ ...all, unknown: 5, silent }), [
    `! Who serves 5 of 5 Groups is not known: 2 proxies could not be read (caller: ${why}).`,
  ]);
  t.strictSame(servedText({ ...all, unknown: 1, silent: silent.slice(0, 1) }), [
    `! Who serves 1 of 5 Groups is not known: a proxy could not be read (caller: ${why}).`,
  ]);
  t.strictSame(servedText({ ...all, unknown: 2 }), [
    '! Who serves 2 of 5 Groups is not known: no proxy that could tell is connected.',
  ]);
  t.strictSame(servedText({ ...all, silent }), [], 'others could be read');
  t.strictSame(servedText({ ...all, notLookedAt: 1_200 }), [
    '! 1,200 hosts were not looked at: isthmus who HOST shows each.',
  ]);
});
