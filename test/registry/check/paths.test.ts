import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, truncateSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { TestFolder } from '../folder-fixture.ts';
import { drGroup, idc, service, toYaml, workload } from '../objects.ts';

// `isthmus validate` over files, folders and standard input: exactly what it prints, and how it ends.

const main = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
const { NODE_OPTIONS: _, ...env } = process.env;

function validate(args: readonly string[], input: string | 'none' = 'none', cwd?: string) {
  const run = spawnSync(process.execPath, [main, 'validate', ...args], {
    ...{ encoding: 'utf8', env, timeout: 60_000, cwd },
    ...(input === 'none' ? { stdio: ['ignore', 'pipe', 'pipe'] } : { input }),
  });
  return { code: run.status, out: run.stdout, err: run.stderr };
}

const good = toYaml(service('s', 'a.example'), workload('w'));
const sum = (text: string) => ({ code: 0, out: `${text}\n`, err: '' });
const ofTwo = sum('2 objects good (1 ServiceEntry, 1 WorkloadEntry), 0 errors, 0 warnings');

t.test('files, folders and standard input are checked together', async (t) => {
  const folder = new TestFolder(t);
  folder.write('a/service.yaml', toYaml(service('s', 'a.example')));
  folder.write('b.txt', toYaml(workload('w')));
  const [a, b] = [folder.at('a'), folder.at('b.txt')];
  t.strictSame(validate([a, b]), ofTwo, 'a file is read whatever its name');
  t.match(validate([b]), { code: 0, out: /b\.txt:\d+:\d+: warning: spec\.labels: no ServiceEntry in / });
  t.strictSame(validate(['-'], good), ofTwo);
  t.strictSame(validate([a, '-'], toYaml(workload('w'))), ofTwo);
  t.strictSame(validate([a, folder.at('a/service.yaml'), a, b]), ofTwo, 'what is named twice counts once');
  const both = validate([a, '-'], toYaml(service('s', 'b.example')));
  t.equal(both.code, 1);
  const twice = `ServiceEntry shop/s is in ${a}/service.yaml:2 too, and that one applies: rename or remove one.`;
  t.ok(both.out.startsWith(`<stdin>:6:5: error: metadata.name: ${twice} [DuplicateName]\n`), both.out);
});

t.test('the place of a fault in standard input, and in a file by its relative name', async (t) => {
  const bad = toYaml(service('s', 'a.example'), workload('w', { weight: -1 }));
  t.match(validate(['-'], bad), {
    code: 1,
    out: /^<stdin>:\d+:\d+: error: spec\.weight: .* \[InvalidField\]$/m,
  });
  const folder = new TestFolder(t);
  folder.write('bad.yaml', bad);
  t.match(validate(['./bad.yaml'], 'none', folder.path).out, /^bad\.yaml:\d+:\d+: error: spec\.weight: /m);
  t.match(
    validate(['-'], Buffer.from(good, 'utf16le').toString('latin1')).out,
    /^<stdin>: error: the encoding/,
  );
});

t.test('with --strict warnings fail, and notes do not', async (t) => {
  const folder = new TestFolder(t);
  folder.write('mesh.yaml', toYaml(workload('w')));
  t.match(validate([folder.path]), { code: 0, out: /0 errors, 1 warning\n$/ });
  t.match(validate(['--strict', folder.path]), { code: 1, out: /0 errors, 1 warning\n$/ });
  const json = JSON.parse(validate(['--strict', '-o', 'json', folder.path]).out);
  t.match(json, { ok: false, errors: 0, warnings: 1 });
  t.match(JSON.parse(validate(['-o', 'json', folder.path]).out), { ok: true, warnings: 1 });
  folder.write('mesh.yaml', good);
  t.equal(validate(['--strict', folder.path]).code, 0);
});

t.test('what cannot be read is told at once, by path, and nothing is checked', async (t) => {
  const folder = new TestFolder(t);
  folder.write('good.yaml', good);
  folder.write('huge.yaml', '');
  truncateSync(folder.at('huge.yaml'), 256 * 2 ** 20 + 1);
  symlinkSync('circle', folder.at('circle'));
  execFileSync('mkfifo', [folder.at('pipe')]);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(folder.at('socket'), resolve));
  t.teardown(() => server.close());
  const odd: Readonly<Record<string, string>> = {
    [folder.at('none')]: 'it does not exist (ENOENT); correct the path',
    [folder.at('good.yaml/none')]: 'it is not a folder (ENOTDIR)',
    [folder.at('circle')]: 'symbolic links form a circle (ELOOP)',
    [folder.at('huge.yaml')]: 'it is larger than 256 MiB',
    [folder.at('pipe')]: 'it is a pipe, and nothing was written to it',
    [folder.at('socket')]: 'it is a pipe, a socket or a device; remove it, or give it another name (ENXIO)',
    '/dev/zero': 'it is larger than 64 MiB',
  };
  const lines = Object.entries(odd).map(
    ([path, why]) => `isthmus validate: ${path} cannot be read: ${why}\n`,
  );
  const all = validate([folder.at('good.yaml'), ...Object.keys(odd)]);
  t.strictSame(all, { code: 2, out: '', err: lines.join('') });
  t.strictSame(validate(['-'], ''), {
    ...{ code: 2, out: '' },
    err: 'isthmus validate: standard input cannot be read: it is empty\n',
  });
  const closed = spawnSync('bash', ['-c', `exec "$@" <&-`, 'bash', process.execPath, main, 'validate', '-'], {
    ...{ encoding: 'utf8', env, timeout: 60_000 },
  });
  t.match(closed, { status: 2, stderr: 'isthmus validate: standard input cannot be read: it is empty\n' });
  const endless = spawnSync(
    'bash',
    ['-c', `exec "$@" </dev/zero`, 'bash', process.execPath, main, 'validate', '-'],
    {
      ...{ encoding: 'utf8', env, timeout: 60_000 },
    },
  );
  t.match(endless, { status: 2, stderr: /standard input cannot be read: it is larger than 64 MiB\n$/ });
});

t.test('a pipe of a shell is read to its end', async (t) => {
  const run = (command: string) =>
    spawnSync('bash', ['-c', command, process.execPath, main], { encoding: 'utf8', env, timeout: 60_000 });
  const folder = new TestFolder(t);
  folder.write('good.yaml', good);
  const piped = run(`"$0" "$1" validate <(cat ${folder.at('good.yaml')})`);
  t.match(piped, { status: 0, stdout: ofTwo.out, stderr: '' });
  t.match(run(`"$0" "$1" validate <(true)`), { status: 2, stderr: /nothing was written to it\n$/ });
});

t.test('links of folders to each other, and folders that may not be read, end in a finding', async (t) => {
  const folder = new TestFolder(t);
  folder.write('a/good.yaml', good);
  symlinkSync('..', folder.at('a/up'));
  t.strictSame(validate([folder.path]), ofTwo);
  mkdirSync(folder.at('locked'));
  folder.write('locked/x.yaml', good);
  chmodSync(folder.at('locked'), 0);
  t.teardown(() => chmodSync(folder.at('locked'), 0o700));
  // Root reads it all the same.
  if (process.getuid?.() !== 0)
    t.match(validate([folder.path]), { code: 1, out: /locked: error: cannot be read: no permission/ });
});

t.test('the objects of several paths are one mesh: names and IDCs', async (t) => {
  const folder = new TestFolder(t);
  folder.write('idcs.yaml', toYaml(idc('sh-a'), idc('sh-b')));
  folder.write('group.yaml', toYaml(drGroup('g', ['a.example'], 'sh-a', 'sh-b')));
  folder.write('good.yaml', good);
  const paths = ['idcs.yaml', 'group.yaml', 'good.yaml'].map((name) => folder.at(name));
  t.match(validate(paths), { code: 0, out: /^5 objects good .*0 errors, 0 warnings\n$/ });
  t.match(validate(paths.slice(1)), { code: 1, out: /spec\.idcs\[0\]\.name: no Idc is named 'sh-a'/ });
});
