import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import { contentHash } from '../../src/base/hash.ts';
import { silentLogger } from '../../src/base/log.ts';
import { trailHeader } from '../../src/model/trail.ts';
import { createPolicyCompiler, type PolicyCompiler } from '../../src/trail/compile.ts';
import { servedHost, startGateways } from '../support/envoys/gateways.ts';
import { get, until } from '../support/mesh.ts';

const assembly = fileURLToPath(new URL('../../wasm/assembly', import.meta.url));
const told: { message: string; error?: string }[] = [];
const logger = {
  ...silentLogger,
  error: (message: string, fields?: object) => void told.push({ message, ...fields }),
};

const good = createPolicyCompiler({ logger, clock: systemClock });
/** What compiles at the moment. */
let current: PolicyCompiler = good;
const compiler: PolicyCompiler = {
  compile: (policy) => current.compile(policy),
  close: () => good.close(),
};

// The event loop must outlive the waits between requests.
const keepAlive = setInterval(() => {}, 1000);
const world = await startGateways({ compiler, logger });
const { plane } = world.mesh;
t.teardown(async () => {
  clearInterval(keepAlive);
  await world.close();
});

/** A compiler over our sources with one text replaced. */
async function brokenCompiler(t: Test, file: string, from: string, to: string): Promise<PolicyCompiler> {
  const sourceDir = await mkdtemp(join(tmpdir(), 'isthmus-broken-'));
  await cp(assembly, sourceDir, { recursive: true });
  const text = await readFile(join(sourceDir, file), 'utf8');
  t.ok(text.includes(from), `${file} has '${from}'`);
  await writeFile(join(sourceDir, file), text.replace(from, to));
  const broken = createPolicyCompiler({ logger, clock: systemClock }, { sourceDir });
  t.teardown(async () => {
    await broken.close();
    await rm(sourceDir, { recursive: true });
  });
  return broken;
}

async function statusesOf(...trails: readonly string[]): Promise<readonly number[]> {
  const all: number[] = [];
  for (const to of world.peers) {
    for (const trail of trails)
      all.push((await get(to, '/', { host: servedHost, headers: { [trailHeader]: trail } })).status);
  }
  return all;
}

/** Both ingress gateways let in what they should, and nothing else. */
async function expectGuarded(t: Test): Promise<void> {
  t.same(
    await statusesOf('sh-a', 'sh-b', 'gz-a,sh-a'),
    [200, 508, 400, 200, 508, 400],
    'the last good filter serves',
  );
}

function filterVersions(): readonly (string | undefined)[] {
  return plane.status().proxies.map(({ types }) => types.ECDS?.version);
}

async function failures(): Promise<number> {
  return (await plane.metrics.filterFailures.get()).values[0]?.value ?? 0;
}

/** A good compiler again: the next policy takes, and nothing is left of the fault. */
async function expectHealed(t: Test, name: string): Promise<void> {
  current = good;
  const before = filterVersions();
  world.addIdc(name);
  await until('new filters are in force', () => {
    const types = plane.status().proxies.map(({ types }) => types.ECDS);
    return types.every((type) => type?.state === 'SYNCED' && !before.includes(type.version));
  });
  t.same(plane.status().problems, [], 'nothing is wrong any more');
  await expectGuarded(t);
}

t.before(async () => {
  await until('the gateways serve', async () => (await statusesOf('sh-a')).every((status) => status === 200));
  await until('all have ACKed', () =>
    plane.status().proxies.every(({ types }) => types.ECDS?.state === 'SYNCED'),
  );
});

for (const [name, file, from, to, words] of [
  ['fails its vectors', 'index.ts', 'if (own > 0)', 'if (own > 1)', /compiled filter is wrong/],
  ['does not compile', 'trail.ts', 'names++', 'nonsense++', /Cannot find name 'nonsense'/],
] as const) {
  t.test(`a policy whose filter ${name} is never pushed`, { timeout: 120_000 }, async (t) => {
    await expectGuarded(t);
    const before = { versions: filterVersions(), failures: await failures() };
    told.length = 0;
    current = await brokenCompiler(t, file, from, to);
    world.addIdc(`bad-${file.slice(0, -3)}`);
    await until('the operator is told', async () => (await failures()) > before.failures);
    t.match(told.at(-1), { message: 'filter not pushed; the last good one stays', error: words }, 'log');
    t.match(
      plane.status().problems,
      [{ severity: 'error', where: /^trail filter sh-b\//, message: words }],
      '/status',
    );
    t.match(plane.problems(), [{ where: /^trail filter sh-b\// }], '/problems');
    await expectGuarded(t);
    t.same(filterVersions(), before.versions, 'nothing was pushed');
    await expectHealed(t, `good-${file.slice(0, -3)}`);
  });
}

t.test('a filter that Envoy refuses leaves the last good one in force', { timeout: 120_000 }, async (t) => {
  current = {
    ...good,
    // What Node takes and Envoy does not cannot be had on purpose: these bytes pass no check at all.
    async compile(policy) {
      const artefact = await good.compile(policy);
      const bytes = artefact.bytes.slice(0, -9);
      return { ...artefact, bytes, hash: contentHash(bytes) };
    },
  };
  world.addIdc('bad-bytes');
  await until('all have refused it', () =>
    plane.status().proxies.every(({ types }) => types.ECDS?.state === 'NACKED'),
  );
  // Of several that were sent at once it takes another push to know which.
  await until('what is refused is told by name', () =>
    plane.status().problems.every(({ message }) => !message.includes('a part of it')),
  );
  const { problems } = plane.status();
  t.ok(problems.length > 0);
  for (const problem of problems)
    t.match(
      problem,
      { severity: 'error', where: 'ECDS', message: /kept the last good one: .*Wasm/ },
      '/status',
    );
  t.match(await plane.metrics.registry.metrics(), /isthmus_nacks_total\{type="ECDS",idc="sh-b"\} [1-9]/);
  await expectGuarded(t);
  await expectHealed(t, 'good-bytes');
});
