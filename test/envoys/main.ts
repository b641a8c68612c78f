// HTTP, TCP and Wasm on each Envoy of envoy/versions: `node test/envoys/main.ts [--setup] [VERSION …]`. Each
// version has a venv of its own, is installed first, and runs the tests of `features`; an Envoy that does not
// start is the control, on which all must fail. Ends with 1 where a test failed that is not known to, or the
// control passed; with 2 where there was nothing to try. `--setup` only installs.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Column, table } from '../../bench/support/table.ts';
import { extraArguments, type Feature, features } from './features.ts';
import { installEnvoy, pinnedVersions } from './install.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const control = 'none';

/** What came of a feature on a version. */
interface Result {
  readonly version: string;
  readonly feature: Feature;
  readonly failed: readonly Failed[];
}

/** A test that failed. */
interface Failed {
  readonly file: string;
  readonly test: string;
}

/** A program that notes that it was started, and goes on as `then`. */
function noted(dir: string, then: string): { readonly path: string; starts(): number } {
  const [path, log] = [join(dir, 'envoy'), join(dir, 'starts')];
  writeFileSync(path, `#!/bin/sh\necho >>'${log}'\n${then}\n`, { mode: 0o755 });
  writeFileSync(log, '');
  return { path, starts: () => readFileSync(log, 'utf8').length };
}

/**
 * Runs the files of a feature; those fail too that never start an Envoy. `quick`: they are to fail, and need
 * no time for it.
 */
function run(feature: Feature, then: string, quick: boolean): Failed[] {
  const dir = mkdtempSync(join(tmpdir(), 'isthmus-envoys-'));
  try {
    return feature.files.flatMap((path) => {
      const [file, envoy] = [basename(path, '.test.ts'), noted(dir, then)];
      const args = ['--reporter=tap', `--timeout=${quick ? 20 : 600}`, path];
      const { status, stdout } = spawnSync(join(root, 'node_modules/.bin/tap'), args, {
        cwd: root,
        env: { ...process.env, ENVOY_BIN: envoy.path },
        encoding: 'utf8',
        maxBuffer: 2 ** 28,
      });
      if (envoy.starts() === 0) return [{ file, test: 'it started no Envoy' }];
      if (status === 0) return [];
      if (!quick) console.log(firstFailures(stdout));
      // The tests of a file are subtests of the one that stands for it.
      const tests = [...stdout.matchAll(/^ {4}not ok \d+ - (.*?)(?: # time=.*)?$/gm)].map(
        ([, test = '']) => test,
      );
      return (tests.length > 0 ? tests : ['it did not run']).map((test) => ({ file, test }));
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** What the first assertions that failed said. */
function firstFailures(tap: string): string {
  const lines = tap.split('\n');
  return lines
    .flatMap((line, i) => (/^\s*not ok /.test(line) ? lines.slice(i, i + 16) : []))
    .slice(0, 80)
    .join('\n');
}

function isKnown({ feature, version }: Result, { test }: Failed): boolean {
  return (feature.known ?? []).some(({ versions, tests }) => versions.includes(version) && tests.test(test));
}

/** The tests that should have gone the other way. */
function missesOf(result: Result): readonly Failed[] {
  const { failed, version, feature } = result;
  if (version === control)
    return failed.length > 0 ? [] : [{ file: feature.name, test: 'it passed without an Envoy' }];
  return failed.filter((one) => !isKnown(result, one));
}

function words(result: Result): string {
  const { failed, version } = result;
  if (version === control) return failed.length > 0 ? 'fails' : 'PASSES';
  const misses = missesOf(result);
  if (misses.length > 0) return `FAILED: ${[...new Set(misses.map(({ file }) => file))].join(', ')}`;
  return failed.length > 0 ? `ok, but for ${failed.length}` : 'ok';
}

/** How a shell becomes an Envoy. */
function starting(version: string, binary: string): string {
  return `exec '${binary}' ${(extraArguments[version] ?? []).join(' ')} "$@"`;
}

const { values, positionals } = parseArgs({
  options: { setup: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const pinned = pinnedVersions(root);
const unknown = positionals.find((version) => !pinned.includes(version));
if (unknown !== undefined) {
  process.stderr.write(`there is no envoy/versions/${unknown}.txt; use some of ${pinned.join(', ')}\n`);
  process.exit(2);
}
const binaries = new Map<string, string>();
const skipped: string[] = [];
for (const version of positionals.length > 0 ? positionals : pinned) {
  const installed = installEnvoy(root, version);
  if ('binary' in installed) binaries.set(version, installed.binary);
  else skipped.push(`Envoy ${version} was not tried: ${installed.missing}`);
}
const results: Result[] = [];
const note = (result: Result) => {
  results.push(result);
  console.log(`Envoy ${result.version}, ${result.feature.name}: ${words(result)}`);
};
if (!values.setup && binaries.size > 0) {
  for (const [version, binary] of binaries) {
    for (const feature of features)
      note({ version, feature, failed: run(feature, starting(version, binary), false) });
  }
  for (const feature of features) {
    const one = { ...feature, files: feature.files.slice(0, 1) };
    note({ version: control, feature, failed: run(one, 'exit 1', true) });
  }
  const cell = (version: string, feature: Feature) =>
    results
      .filter((one) => one.version === version && one.feature === feature)
      .map(words)
      .join('');
  const columns = [...binaries.keys(), control].map(
    (version): Column<Feature> => [version, (feature) => cell(version, feature)],
  );
  console.log(`\n${table<Feature>([['Envoy', ({ name }) => name], ...columns], features)}`);
  for (const { name, known = [] } of features)
    for (const { versions, why } of known) console.log(`${name}: on ${versions.join(', ')} ${why}`);
  for (const [version, args] of Object.entries(extraArguments))
    if (binaries.has(version)) console.log(`Envoy ${version} was started with ${args.join(' ')}`);
}
for (const line of skipped) console.log(line);
const misses = results.flatMap((result) =>
  missesOf(result).map(({ file, test }) => `${result.version}, ${file}: ${test}`),
);
for (const line of misses) console.log(`FAILED: Envoy ${line}`);
console.log(`${results.length} results, ${misses.length} tests failed, ${skipped.length} versions not tried`);
if (misses.length > 0) process.exitCode = 1;
else if (binaries.size === 0) process.exitCode = 2;
