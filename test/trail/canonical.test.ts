import t from 'tap';
import { canonicalPolicy } from '../../src/trail/canonical.ts';

const policy = {
  idc: 'sh-b',
  peers: ['sh-a', 'bj-a'],
  hopLimit: 2,
  listener: 'ingress-peer',
  enforce: true,
} as const;

t.test('the canonical form does not depend on the order of peers', async (t) => {
  t.same(canonicalPolicy(policy), { ...policy, peers: ['bj-a', 'sh-a'] });
  t.same(canonicalPolicy({ ...policy, peers: ['bj-a', 'sh-a'] }), canonicalPolicy(policy));
  t.same(policy.peers, ['sh-a', 'bj-a'], 'what was passed in is left alone');
});

t.test('the canonical form has nothing that its listener does not read', async (t) => {
  for (const listener of ['ingress-edge', 'egress-sidecar'] as const) {
    const one = canonicalPolicy({ ...policy, listener });
    t.same(one, { idc: 'sh-b', peers: [], hopLimit: 0, listener, enforce: true });
    t.same(canonicalPolicy({ ...policy, listener, hopLimit: 4, enforce: false }), one);
  }
});

t.test('a policy that is none is refused, with the rule', async (t) => {
  const many = Array.from({ length: 64 }, (_, index) => `idc-${index}`);
  const rows: [string, object, RegExp][] = [
    ['upper case', { idc: 'Sh-B' }, /'Sh-B' is not an IDC name/],
    ['a comma in a name', { peers: ['sh-a,bj-a'] }, /'sh-a,bj-a' is not an IDC name/],
    ['a line break in a name', { peers: ['sh-a\n'] }, /is not an IDC name/],
    ['the word for unknown', { peers: ['_unknown'] }, /is not an IDC name/],
    ['a name too long', { idc: 'x'.repeat(33) }, /is not an IDC name/],
    ['its own peer', { peers: ['sh-b'] }, /'sh-b' is its own peer/],
    ['a peer twice', { peers: ['sh-a', 'sh-a'] }, /named twice/],
    ['too many peers', { peers: many }, /64 peers, at most 63/],
    ['hop limit too large', { hopLimit: 5 }, /hop limit 5 .* 0 to 4/],
    ['hop limit below zero', { hopLimit: -1 }, /hop limit -1/],
    ['hop limit and a half', { hopLimit: 1.5 }, /hop limit 1.5/],
    ['neither on nor off', { enforce: undefined }, /whether to enforce/],
    ['no listener', { listener: 'sidecar' }, /'sidecar' is none of ingress-edge, /],
  ];
  for (const [name, change, message] of rows) {
    t.throws(() => canonicalPolicy({ ...policy, ...change }), { code: 'invalid', message }, name);
  }
  t.throws(
    () => canonicalPolicy({ ...policy, idc: '-', hopLimit: 9 }),
    { message: /'-' is not .*; hop limit 9/ },
    'all faults',
  );
});

t.test('a mesh of one IDC, and the largest, are fine', async (t) => {
  t.doesNotThrow(() => canonicalPolicy({ ...policy, peers: [], hopLimit: 0 }));
  t.doesNotThrow(() =>
    canonicalPolicy({ ...policy, peers: Array.from({ length: 63 }, (_, index) => `idc-${index}`) }),
  );
});
