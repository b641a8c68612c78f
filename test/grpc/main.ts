// The tests of `isthmus/xds` with clients of the two newest minor versions of @grpc/grpc-js: `node
// test/grpc/main.ts [VERSION …]`. Each version is installed into a folder of its own that is gone afterwards,
// and each file runs with `collectYoungMemory` off and on. A version that is not there is the control, on
// which a file must fail. Ends with 1 where a test failed or the control passed, with 2 where nothing could
// be installed.
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Column, table } from '../../bench/support/table.ts';
import type { Replacement } from '../support/planes/served.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const packageName = '@grpc/grpc-js';
const control = 'none';
const overNetwork = ['ads', 'client-status', 'reflection', 'separate-services', 'xds-health'];
const files = [
  ...globSync('test/xds/**/*.test.ts', { cwd: root }).sort(),
  ...overNetwork.map((name) => `test/feature/${name}.test.ts`),
];
const young: readonly Replacement[] = [
  {
    file: 'xds/transport/grpc-server.ts',
    from: 'collectYoungMemory = false',
    to: 'collectYoungMemory = true',
  },
  { file: 'xds/xds.ts', from: 'options.collectYoungMemory === true', to: 'true' },
];
const ways = { off: [], on: young } as const;
type Way = keyof typeof ways;

/** What came of a version, one way. */
interface Result {
  readonly version: string;
  readonly way: Way;
  readonly passed: number;
  readonly failed: readonly string[];
  /** How often a program loaded the version. */
  readonly loads: number;
}

/** The last release of each of the two newest minor versions, newest first. */
function newestVersions(): string[] {
  const { stdout } = spawnSync('npm', ['view', packageName, 'versions', '--json'], { encoding: 'utf8' });
  const releases = (JSON.parse(stdout || '[]') as string[])
    .filter((version) => /^\d+\.\d+\.\d+$/.test(version))
    .map((version) => version.split('.').map(Number) as [number, number, number])
    .sort((a, b) => b[0] - a[0] || b[1] - a[1] || b[2] - a[2]);
  const newest = new Map<string, string>();
  for (const [major, minor, patch] of releases)
    if (!newest.has(`${major}.${minor}`)) newest.set(`${major}.${minor}`, `${major}.${minor}.${patch}`);
  return [...newest.values()].slice(0, 2);
}

/** Installs a version below a folder; why not, where it could not. */
function install(home: string, version: string): string | undefined {
  writeFileSync(join(home, 'package.json'), '{"private":true}');
  if (version === control) return undefined;
  const args = [
    'install',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    `${packageName}@${version}`,
  ];
  const { status, stderr } = spawnSync('npm', args, { cwd: home, encoding: 'utf8' });
  return status === 0 ? undefined : stderr.trim().split('\n').at(-1);
}

function run(home: string, version: string, way: Way, some: readonly string[]): Result {
  const hooks = ['./other.ts', '../support/planes/without.ts'].map(
    (file) => new URL(file, import.meta.url).href,
  );
  const { stdout } = spawnSync(
    join(root, 'node_modules/.bin/tap'),
    ['--reporter=tap', '--jobs=1', '--timeout=300', ...some],
    {
      cwd: root,
      env: {
        ...process.env,
        NODE_OPTIONS: hooks.map((url) => `--import=${url}`).join(' '),
        ISTHMUS_TEST_GRPC: home,
        ISTHMUS_TEST_WITHOUT: JSON.stringify(ways[way]),
      },
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    },
  );
  const outcome = (word: string) =>
    [...stdout.matchAll(new RegExp(`^${word} \\d+ - (\\S+\\.test\\.ts)`, 'gm'))].map(([, file = '']) => file);
  const [passed, failed] = [outcome('ok'), outcome('not ok')];
  const notRun = some.filter((file) => ![...passed, ...failed].includes(file));
  if (failed.length > 0 && version !== control)
    console.log(
      stdout
        .split('\n')
        .filter((line) => /^\s*not ok /.test(line))
        .join('\n'),
    );
  const log = join(home, 'loads');
  const loaded = existsSync(log) ? readFileSync(log, 'utf8').split('\n').filter(Boolean) : [];
  const elsewhere = loaded.filter((url) => !url.startsWith(pathToFileURL(home).href));
  rmSync(log, { force: true });
  return {
    ...{ version, way, passed: passed.length, loads: loaded.length },
    failed: [...failed, ...notRun, ...elsewhere],
  };
}

function words({ version, failed, passed, loads }: Result): string {
  if (version === control) return failed.length > 0 ? 'fails' : 'PASSES';
  if (failed.length > 0) return `FAILED: ${failed.join(', ')}`;
  return loads === 0 ? 'FAILED: nothing loaded it' : `ok: ${passed} files, loaded ${loads} times`;
}

const asked = process.argv.slice(2);
const results: Result[] = [];
const skipped: string[] = [];
for (const version of [...(asked.length > 0 ? asked : newestVersions()), control]) {
  const home = mkdtempSync(join(tmpdir(), 'isthmus-grpc-'));
  try {
    const missing = install(home, version);
    if (missing !== undefined) skipped.push(`${packageName} ${version} was not tried: ${missing}`);
    else
      for (const way of version === control ? (['off'] as const) : (['off', 'on'] as const)) {
        const one = run(
          home,
          version,
          way,
          version === control ? ['test/xds/transport/call.test.ts'] : files,
        );
        results.push(one);
        console.log(`${packageName} ${version}, collectYoungMemory ${way}: ${words(one)}`);
      }
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
const cell = (version: string, way: Way) =>
  results
    .filter((one) => one.version === version && one.way === way)
    .map(words)
    .join('');
const columns = (['off', 'on'] as const).map(
  (way): Column<string> => [`collectYoungMemory ${way}`, (version) => cell(version, way)],
);
const versions = [...new Set(results.map(({ version }) => version))];
console.log(`\n${table<string>([[packageName, (version) => version], ...columns], versions)}`);
for (const line of skipped) console.log(line);
if (results.some((one) => /FAILED|PASSES/.test(words(one)))) process.exitCode = 1;
else if (versions.every((version) => version === control)) process.exitCode = 2;
