import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadAll } from 'js-yaml';
import t from 'tap';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { trailHeader } from '../../src/model/trail.ts';
import { assemble } from '../../src/trail/assemble.ts';
import { canonicalPolicy, type FilterPolicy } from '../../src/trail/canonical.ts';
import { policySource } from '../../src/trail/program.ts';
import { findEnvoy } from '../support/envoy.ts';
import { compiledFilters } from '../support/wasm-host.ts';
import { bootstrap, sendRaw, startGateway } from './gateway.ts';

interface Filter {
  name: string;
  config_discovery: { config_source: object };
}
interface Resource {
  name: string;
  typed_config: { config: { vm_config: { vm_id: string; code: { local: { inline_bytes: string } } } } };
}

// What docs/trail.md says is what is tested: its YAML blocks are the tags, the listener's filter, and the
// resource.
const text = await readFile(new URL('../../docs/trail.md', import.meta.url), 'utf8');
const blocks = [...text.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, block]) => loadAll(block as string)[0]);
const [tags, filter, resource] = blocks as [{ stats_config: object }, Filter, Resource];

const policy: FilterPolicy = {
  idc: 'sh-b',
  peers: ['sh-a', 'bj-a'],
  hopLimit: 1,
  listener: 'ingress-peer',
  enforce: true,
};
const [one, two] = (await compiledFilters([policy, { ...policy, hopLimit: 2 }])) as [Uint8Array, Uint8Array];

const assembly = new URL('../../wasm/assembly/', import.meta.url);
const sources = new Map(
  readdirSync(assembly).map((name) => [name, readFileSync(new URL(name, assembly), 'utf8')]),
);
const trail =
  sources
    .get('trail.ts')
    ?.replace('if (last === OWN_INDEX) own++;', 'if (last === OWN_INDEX) unreachable();') ?? '';
const trapping = await assemble(
  sources.set('trail.ts', trail).set('policy.ts', policySource(canonicalPolicy(policy))),
);

function resourceWith(bytes: Uint8Array): Resource {
  const made = structuredClone(resource);
  made.typed_config.config.vm_config.code.local.inline_bytes = Buffer.from(bytes).toString('base64');
  return made;
}

t.test('Envoy takes the documented fragments', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'isthmus-ecds-'));
  t.teardown(() => rm(dir, { recursive: true }));
  const { name, typed_config } = resourceWith(one);
  const ads = {
    api_type: 'GRPC',
    transport_api_version: 'V3',
    grpc_services: [{ envoy_grpc: { cluster_name: 'upstream' } }],
  };
  const ports = [
    { name: 'by-ecds', filter },
    { name: 'static', filter: { name, typed_config } },
  ];
  const config = {
    ...bootstrap(ports, 1),
    ...tags,
    dynamic_resources: { ads_config: ads },
  };
  const validate = async (config: object) => {
    await writeFile(join(dir, 'envoy.json'), JSON.stringify(config));
    return spawnSync(findEnvoy(), ['--mode', 'validate', '-c', join(dir, 'envoy.json'), '-l', 'warning'], {
      encoding: 'utf8',
    });
  };
  const good = await validate(config);
  t.equal(good.status, 0, good.stderr);
  const renamed = JSON.stringify(config).replace('reload_config', 'reload_configs');
  t.not((await validate(JSON.parse(renamed))).status, 0, 'the control: a field that there is not');
  t.equal(filter.name, name, 'the resource has the name that the listener asks for');
});

t.test(
  'closed until the filter comes, then open; a broken one changes nothing; a new one takes over',
  async (t) => {
    const dir = await mkdtemp(join(tmpdir(), 'isthmus-ecds-'));
    t.teardown(() => rm(dir, { recursive: true }));
    const file = join(dir, 'ecds.json');
    let version = 0;
    // Envoy watches for the rename. The resources are the same as by ADS; only the way they come differs.
    const publish = async (...resources: readonly Resource[]) => {
      const type = 'type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig';
      const typed = resources.map((one) => ({ '@type': type, ...one }));
      await writeFile(`${file}.new`, JSON.stringify({ version_info: String(version++), resources: typed }));
      await rename(`${file}.new`, file);
    };
    await publish();
    const source = { path_config_source: { path: file }, resource_api_version: 'V3' };
    // Our listeners wait for the filter; here they go on without, to show what the default does.
    const discovery = { config_source: source, apply_default_config_without_warming: true };
    const byFile = { ...filter, config_discovery: { ...filter.config_discovery, ...discovery } };
    const gateway = await startGateway([{ name: 'peer', filter: byFile }]);
    t.teardown(() => gateway.close());
    const statusOf = async (trail: string) =>
      (await sendRaw(gateway.ports.get('peer') as number, [[trailHeader, trail]])).status;
    const counterOf = async (name: string) => {
      const line = (await gateway.admin(`/stats?filter=extension_config_discovery.*${name}$`)).trim();
      return Number(line.split(': ')[1] ?? 0);
    };
    const until = async (name: string, count: number) => {
      while ((await counterOf(name)) < count) await sleep(systemClock, 10);
    };

    t.equal(await statusOf('sh-a'), 403, 'no filter yet');
    await publish(resourceWith(one));
    await until('config_reload', 1);
    t.equal(await statusOf('sh-a'), 200);
    t.equal(await statusOf('sh-b'), 508);
    t.equal(await statusOf('bj-a,sh-a'), 400, 'hop limit 1');

    await publish(resourceWith(one.slice(0, 500)));
    await until('config_fail', 1);
    t.equal(await statusOf('sh-a'), 200, 'the old one goes on');
    t.equal(await statusOf('sh-b'), 508);

    let stop = false;
    const seen = new Map<number, number>();
    const load = async () => {
      while (!stop || (seen.get(200) ?? 0) < 100) {
        const status = await statusOf('sh-a');
        seen.set(status, (seen.get(status) ?? 0) + 1);
      }
    };
    const loading = load();
    while ((seen.get(200) ?? 0) < 20) await sleep(systemClock, 1);
    await publish(resourceWith(two));
    await until('config_reload', 2);
    t.equal(await statusOf('bj-a,sh-a'), 200, 'hop limit 2');
    t.equal(await statusOf('sh-b'), 508);
    stop = true;
    await loading;
    t.same([...seen.keys()], [200], `no request was lost meanwhile, of ${seen.get(200)}`);

    await publish(resourceWith(trapping));
    await until('config_reload', 3);
    t.equal(await statusOf('sh-a'), 200, 'a filter that traps on its own name');
    t.match(await statusOf('sh-b'), /^50[03]$/, 'trapped');
    t.equal(await statusOf('sh-a'), 503, 'closed');
    while ((await statusOf('sh-a')) === 503) await sleep(systemClock, 50);
    t.equal(await statusOf('sh-a'), 200, 'started anew by itself');
  },
);
