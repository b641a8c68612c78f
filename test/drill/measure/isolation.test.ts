import t from 'tap';
import {
  checkEgressKnowsOthers,
  checkInstancesBehindSidecars,
  checkSidecarsKnowOnlyHome,
} from '../../../src/drill/measure/isolation.ts';
import type { RunningProcess } from '../../../src/drill/process/process.ts';
import type { Part, PartKind } from '../../../src/drill/world/parts.ts';
import { createPaths } from '../../../src/drill/world/paths.ts';
import { planTopology } from '../../../src/drill/world/topology.ts';
import type { World } from '../../../src/drill/world/world.ts';

const topology = planTopology({ id: 'abcdef', slot: 7 });
const spec = (name: string) => ({ name, command: '', args: [], logFile: '' });

/** A world in which nothing really runs; all parts are this process, those in `dead` have ended. */
function worldOf(dead: readonly PartKind[] = []): World {
  const parts = topology.idcs.flatMap((idc): Part[] => [
    ...idc.egress.map((proxy) => ({ kind: 'egress' as const, idc: idc.name, proxy, spec: spec(proxy.name) })),
    ...idc.instances.flatMap((proxy) =>
      (['app', 'sidecar'] as const).map((kind) => ({ kind, idc: idc.name, proxy, spec: spec(proxy.name) })),
    ),
    { kind: 'caller', idc: idc.name, proxy: idc.caller, spec: spec('caller') },
  ]);
  const running = (part: Part) => ({ pid: process.pid, alive: () => !dead.includes(part.kind) });
  return { topology, parts, running: (part: Part) => running(part) as RunningProcess } as unknown as World;
}
/** What an admin interface that knows these addresses dumps. */
const knowing =
  (...addresses: string[]) =>
  () =>
    Promise.resolve(JSON.stringify({ addresses }));
const refusing = () => Promise.reject(new Error('refused'));

t.test('a sidecar that knows an address of another IDC, or tells nothing, or does not run', async (t) => {
  const check = (ask: () => Promise<string>, dead: PartKind[] = []) =>
    checkSidecarsKnowOnlyHome(worldOf(dead), ['caller'], 'now', ask);
  t.match(await check(knowing('10.0.0.1')), { ok: true, detail: '2 sidecars' });
  t.match(await check(knowing('127.2.7.31')), { ok: false, detail: 'caller knows 127.2.7.*' });
  t.match(await check(refusing), { ok: false, detail: /does not tell its config/ });
  t.match(await check(knowing(), ['caller']), { ok: false });
});

t.test('the control: the same look must see what an egress gateway knows', async (t) => {
  const both = knowing('127.1.7.11', '127.2.7.11');
  t.match(await checkEgressKnowsOthers(worldOf(), both), { ok: true, detail: '4 egress gateways' });
  t.match(await checkEgressKnowsOthers(worldOf(), knowing('127.1.7.11')), {
    ok: false,
    detail: 'egress-1: none seen; egress-2: none seen',
  });
  t.match(await checkEgressKnowsOthers(worldOf(), refusing), { ok: false });
  t.match(await checkEgressKnowsOthers(worldOf(['egress']), both), { ok: false });
});

t.test('an application that does not run is not taken for one that listens on no port', async (t) => {
  const paths = createPaths(t.testdir());
  const finding = checkInstancesBehindSidecars(worldOf(['app']), paths, 'now');
  t.match(finding, { ok: false, detail: /^sh-a\/checkout-1 does not run; / });
});
