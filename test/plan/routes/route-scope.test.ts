import fc from 'fast-check';
import t from 'tap';
import { canonicalHost, isHost } from '../../../src/model/values/hostname.ts';
import { hasOwnScope, otherHosts, routeScopeOf } from '../../../src/plan/routes/route-scope.ts';
import type { ListenerRole } from '../../../src/plan/types.ts';

const label = fc.stringMatching(/^[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,8}[a-zA-Z0-9])?$/);
const host = fc
  .tuple(fc.constantFrom('', '*.'), fc.array(label, { minLength: 1, maxLength: 3 }), fc.constantFrom('', '.'))
  .map(([star, labels, dot]) => canonicalHost(`${star}${labels.join('.')}${dot}`));

t.test('no two scopes of a proxy have equal keys, unless they are one', async (t) => {
  for (const listeners of [['outbound'], ['edge', 'peer'], ['sidecar', 'ingress']] as const)
    fc.assert(
      fc.property(fc.array(host), (hosts) => {
        const all = [...new Set([...hosts, otherHosts])];
        const scopes = listeners.flatMap((listener: ListenerRole) =>
          all.map((one) => routeScopeOf(listener, one)),
        );
        for (const of of [
          ({ name }: (typeof scopes)[0]) => name,
          ({ key }: (typeof scopes)[0]) => key.join(' '),
        ])
          if (new Set(scopes.map(of)).size !== scopes.length) throw new Error(JSON.stringify(scopes));
      }),
    );
  t.same(routeScopeOf('peer', 'a.shop'), { name: 'peer/a.shop', key: ['a.shop', 'a.shop'] });
});

t.test('no Group has the host of all others', async (t) => {
  t.notOk(isHost(otherHosts));
  t.ok(hasOwnScope('a.shop'));
  t.notOk(hasOwnScope('*.shop'));
});
