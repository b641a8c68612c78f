import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { systemClock } from '../../src/base/clock.ts';
import type { Sink } from '../../src/registry/source.ts';
import { idc, toYaml } from '../registry/objects.ts';
import { startMesh } from '../support/mesh.ts';
import { type Plant, plantSources } from '../support/planted.ts';

// What docs/HACKING.md says under "To add" is enough: a copy of the sources gets just that, and it is there.
// Types of resources: planted-type.test.ts. Codes of findings: test/docs/findings.test.ts.

const run = promisify(execFile);

/** What a command of the planted sources prints. */
async function isthmus(dir: string, ...args: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [join(dir, 'src/cli/main.ts'), ...args]);
  return stdout;
}

t.test('an option of isthmus serve: a row', async (t) => {
  const { dir, load } = plantSources(t, {
    file: 'src/config/options.ts',
    before: '    loopPrevention: option(onOff, {',
    text: "    planted: option(onOff, { flag: '--planted', byDefault: 'off', words: 'is planted', why: 'to see it' }),\n",
  });
  t.match(await isthmus(dir, 'serve', '--help'), /--planted .*is planted/s);
  const { configJsonSchema } = await load('src/config/schema.ts');
  t.match(configJsonSchema(), /"planted"/);
  const args = ['--idc', 'sh-a', '--config', '.', '--planted', 'on'];
  t.match(await isthmus(dir, 'config', 'print', ...args), /planted: true # --planted/);
});

t.test('a registry source: a file, and a row', async (t) => {
  const { load } = plantSources(
    t,
    {
      file: join('src/registry', 'planted-source.ts'),
      text: `import { noFacets, type Source } from './source.ts';
export function createPlantedSource(name: string): Source {
  return {
    name, objects: () => [], repair() {}, facets: noFacets,
    async start(sink) { sink.changes([{ type: 'synced', source: name, at: 0 }]); },
  };
}
`,
    },
    {
      file: 'src/registry/open.ts',
      before: "import type { Source } from './source.ts';",
      text: "import { createPlantedSource } from './planted-source.ts';\n",
    },
    {
      file: 'src/registry/open.ts',
      before: '} satisfies Record<string, (rest: string',
      text: '  planted: (name: string) => createPlantedSource(name),\n',
    },
  );
  const { openSource } = await load('src/registry/open.ts');
  const told: unknown[] = [];
  const sink: Sink = { changes: (batch) => void told.push(...batch), problems() {} };
  await openSource('planted:here', { clock: systemClock }).start(sink, new AbortController().signal);
  t.same(told, [{ type: 'synced', source: 'here', at: 0 }]);
});

t.test('an operation of the admin API: its path, its contract, its handler', async (t) => {
  const plants: Plant[] = [
    {
      file: 'src/contract/operations.ts',
      before: "  confirmDeletes: { method: 'POST'",
      text: "  getPlanted: { method: 'GET', path: '/planted' },\n",
    },
    {
      file: 'src/contract/status.ts',
      before: '  confirmDeletes: {',
      text: "  getPlanted: { tag, summary: 'Planted', help: 'is planted', ...anyQuery, answers: { 200: text('It.') } },\n",
    },
    {
      file: 'src/api/pages/pages.ts',
      before: '    confirmDeletes: () =>',
      text: "    getPlanted: () => ({ status: 200, body: 'planted' }),\n",
    },
  ];
  const { load } = plantSources(t, ...plants);
  const { serveAdmin } = await load('src/api/admin-server.ts');
  const { openApiYaml } = await load('src/api/write-openapi.ts');
  t.match(openApiYaml(), /operationId: getPlanted/);
  const mesh = await startMesh('sh-a', { 'idc.yaml': toYaml(idc('sh-a')) });
  t.teardown(() => mesh.close());
  const server = await serveAdmin(mesh.plane, { address: '127.0.0.1', port: 0 }, undefined);
  t.teardown(() => server.close());
  const page = async (path: string) => (await fetch(`http://127.0.0.1:${server.port}${path}`)).text();
  t.equal(await page('/planted'), 'planted');
  t.match(await page('/'), /GET\t\/planted\tis planted/);
});

t.test('a drill of a name: a file, and a row', async (t) => {
  const { dir } = plantSources(
    t,
    {
      file: join('src/drill/drills', 'planted.ts'),
      text: `import { drillFromFile } from '../scenario/from-file.ts';
export const plantedDrill = { ...drillFromFile({
  name: 'flap', summary: 'is planted', description: 'Is planted, as a drill.',
  unprotected: 'the negative control', rates: { caller: 1 } }), name: 'planted' };
`,
    },
    {
      file: 'src/drill/catalog.ts',
      before: 'import { realDrill }',
      text: "import { plantedDrill } from './drills/planted.ts';\n",
    },
    { file: 'src/drill/catalog.ts', before: '  realDrill,', text: '  plantedDrill,\n' },
  );
  t.match(await isthmus(dir, 'drill', '--help'), /planted .*is planted/);
  t.match(await isthmus(dir, 'drill', 'planted', '--help'), /Is planted, as a drill/);
});
