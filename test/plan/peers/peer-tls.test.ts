import t from 'tap';
import type { Idc } from '../../../src/model/idc.ts';
import {
  crossedBy,
  egressIntake,
  knownPeers,
  peerIntake,
  securedCrossing,
  securedEgress,
} from '../../../src/plan/peers/peer-tls.ts';

type Mode = NonNullable<Idc['spec']['peerTls']>['mode'];

function idcOf(name: string, mode?: Mode): Idc {
  const roots = `roots of ${name}`;
  const more = mode === undefined ? {} : { trustDomain: `${name}.example`, peerTls: { mode, roots } };
  return {
    kind: 'Idc',
    meta: { name, namespace: '' },
    spec: { ingress: [], egress: [], ...more },
  } as unknown as Idc;
}

const mapOf = (...list: readonly Idc[]) => new Map(list.map((one) => [one.meta.name, one]));

t.test('who receives is asked first, then who sends, then the door is closed', async (t) => {
  const rows: readonly (readonly [Mode | undefined, string, boolean])[] = [
    [undefined, 'plaintext', false],
    ['off', 'plaintext', false],
    ['accept', 'both', false],
    ['use', 'both', true],
    ['require', 'tls', true],
  ];
  for (const [mode, intake, isSecured] of rows) {
    t.equal(peerIntake(idcOf('sh-b', mode)), intake, String(mode));
    t.equal(securedCrossing(idcOf('sh-b', mode)) !== undefined, isSecured, String(mode));
  }
  t.equal(peerIntake(undefined), 'plaintext');
  t.equal(securedCrossing(undefined), undefined);
});

t.test('egress gateways have the same steps, and need roots', async (t) => {
  const of = (egressTls: Mode | undefined, mode: Mode | undefined): Idc => {
    const idc = idcOf('sh-a', mode);
    return { ...idc, spec: { ...idc.spec, ...(egressTls && { egressTls }) } };
  };
  t.equal(egressIntake(of(undefined, 'require')), 'plaintext', 'apart from crossings');
  t.equal(egressIntake(of('accept', 'off')), 'both');
  t.equal(securedEgress(of('accept', 'off')), undefined);
  t.equal(egressIntake(of('use', 'off')), 'both');
  t.match(securedEgress(of('use', 'off')), { trustDomain: 'sh-a.example' });
  t.equal(egressIntake(of('require', 'off')), 'tls');
  t.equal(egressIntake(of('require', undefined)), 'plaintext', 'without roots');
  t.equal(securedEgress(of('require', undefined)), undefined);
});

t.test('peers are the others that have roots, by name', async (t) => {
  const idcs = mapOf(idcOf('sh-c', 'off'), idcOf('sh-a', 'use'), idcOf('sh-b', 'require'), idcOf('sh-d'));
  t.strictSame(knownPeers(idcs, 'sh-a'), [
    { idc: 'sh-b', trustDomain: 'sh-b.example', roots: 'roots of sh-b' },
    { idc: 'sh-c', trustDomain: 'sh-c.example', roots: 'roots of sh-c' },
  ]);
});

t.test('an IDC that nobody knows goes on in plaintext', async (t) => {
  const there = idcOf('sh-b', 'use');
  const secured = (local: Idc) => securedCrossing(crossedBy(local, mapOf(local, there)).get('sh-b'));
  t.equal(secured(idcOf('sh-a')), undefined);
  t.strictSame(secured(idcOf('sh-a', 'off')), {
    ...{ idc: 'sh-b', trustDomain: 'sh-b.example', roots: 'roots of sh-b' },
  });
});
