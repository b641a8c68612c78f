import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Runs Node without the loaders that the test runner gives to all children. */
function node(cwd: string, ...args: string[]): string {
  const command = ['-u', 'NODE_OPTIONS', process.execPath, ...args];
  return execFileSync('env', command, { cwd, encoding: 'utf8', stdio: 'pipe', timeout: 60_000 });
}

t.test('the compiler works as installed JavaScript, under node_modules', async (t) => {
  const project = await mkdtemp(join(tmpdir(), 'isthmus-installed-'));
  t.teardown(() => rm(project, { recursive: true }));
  const modules = join(project, 'node_modules');
  const installed = join(modules, 'isthmus');
  await mkdir(installed, { recursive: true });
  for (const name of ['assemblyscript', 'lru-cache'])
    await symlink(join(root, 'node_modules', name), join(modules, name));
  await cp(join(root, 'wasm', 'assembly'), join(installed, 'wasm', 'assembly'), { recursive: true });
  await writeFile(join(installed, 'package.json'), '{"name":"isthmus","version":"0.0.0","type":"module"}');
  // As the package is built, but for this part of it alone.
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      noEmit: false,
      outDir: join(installed, 'dist'),
      rootDir: root,
      typeRoots: [join(root, 'node_modules/@types')],
    },
    files: ['compile', 'compile-main'].map((name) => join(root, 'src/trail', `${name}.ts`)),
    include: [],
  };
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify(config));
  node(project, join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json');
  const program = `
    import { createPolicyCompiler } from './node_modules/isthmus/dist/src/trail/compile.js';
    import { systemClock } from './node_modules/isthmus/dist/src/base/clock.js';
    import { silentLogger } from './node_modules/isthmus/dist/src/base/log.js';
    const compiler = createPolicyCompiler({ logger: silentLogger, clock: systemClock });
    const policy = { idc: 'sh-b', peers: ['sh-a'], hopLimit: 1, listener: 'ingress-peer', enforce: true };
    console.log((await compiler.compile(policy)).hash);
    // No close: an idle compiler must not keep the process.
  `;
  await writeFile(join(project, 'program.mjs'), program);
  t.match(node(project, 'program.mjs'), /^[0-9a-f]{16}\n$/);
  await rm(join(installed, 'wasm'), { recursive: true });
  t.throws(() => node(project, 'program.mjs'), {
    message: /wasm\/assembly is missing: the package is incomplete/,
  });
});
