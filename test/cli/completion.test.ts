import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { optionList } from '../../src/config/options.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

// The test runner's own loaders are not the users'.
const { NODE_OPTIONS: _, ...env } = process.env;

function isthmus(...args: readonly string[]): { code: number | null; out: string; err: string } {
  const run = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', env, timeout: 60_000 });
  return { code: run.status, out: run.stdout, err: run.stderr };
}

const dir = mkdtempSync(join(tmpdir(), 'isthmus-completion-'));
t.teardown(() => rmSync(dir, { recursive: true }));
mkdirSync(join(dir, 'registry of objects'));
writeFileSync(join(dir, 'registry.yaml'), '');

/** The script for a shell, as a file. */
function scriptFor(shell: string): string {
  const file = join(dir, `isthmus.${shell}`);
  writeFileSync(file, isthmus('completion', shell).out);
  return file;
}

/** Runs a program of a shell in the folder above; undefined: this machine does not have the shell. */
function inShell(shell: string, program: string, ...args: readonly string[]): string[] | undefined {
  const flags = shell === 'zsh' ? ['-f'] : shell === 'bash' ? ['--norc'] : ['--no-config'];
  const run = spawnSync(shell, [...flags, '-c', program, ...args], { encoding: 'utf8', env, cwd: dir });
  if (run.error !== undefined) return undefined;
  t.equal(run.stderr, '', program);
  return run.stdout.split('\n').filter((line) => line !== '');
}

const bashScript = scriptFor('bash');

/** What bash offers for the last of these words, which are as readline splits them. */
function inBash(...words: readonly string[]): string[] {
  const program = `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _isthmus
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  return inShell('bash', program, bashScript, 'isthmus', ...words) ?? [];
}

t.test('bash: commands, options, choices, files and folders', async (t) => {
  t.ok(['serve', 'status', 'drill', 'completion'].every((name) => inBash('').includes(name)));
  t.strictSame(inBash('va'), ['validate']);
  t.strictSame(inBash('drill', 'li'), ['live']);
  t.strictSame(inBash('drill', 'live', 'e'), ['evacuate']);
  t.strictSame(inBash('bootstrap', '--role', ''), ['sidecar', 'ingress', 'egress', 'grpc']);
  t.strictSame(inBash('bootstrap', '--role', '=', 'si'), ['sidecar'], '--role=si');
  t.strictSame(inBash('serve', '--log-level', 'wa'), ['warn']);
  t.strictSame(inBash('serve', '--config', 'reg'), ['registry of objects']);
  t.strictSame(inBash('serve', '--file', 'reg').sort(), ['registry of objects', 'registry.yaml']);
  t.strictSame(inBash('validate', 'reg').sort(), ['registry of objects', 'registry.yaml']);
  t.strictSame(inBash('completion', ''), ['bash', 'zsh', 'fish']);
});

t.test('bash: the value of an option is no command, and what follows -- is not ours', async (t) => {
  t.strictSame(inBash('serve', '--idc', 'drill', '--log-level', 'deb'), ['debug']);
  t.strictSame(inBash('serve', '--idc', '=', 'drill', '--log-level', 'deb'), ['debug']);
  t.strictSame(inBash('serve', '--idc', ''), [], 'nothing is guessed');
  t.strictSame(inBash('run', '--', 'serve', '--'), []);
});

/** Long options that a help lists. */
function optionsIn(help: string): readonly string[] {
  return [...help.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag = '']) => flag);
}

t.test('it has each option of each command, and no other', async (t) => {
  for (const words of [
    ...[
      'serve',
      'config print',
      'validate',
      'bootstrap',
      'status',
      'who',
      'explain',
      'run',
      'instances',
      'deregister',
    ],
    ...[
      'evacuate',
      'evacuations',
      'events',
      'diff',
      'wait',
      'config show',
      'version',
      'capacity',
      'quickstart',
      'drill run',
      'drill chaos',
      'drill live evacuate',
      '',
    ],
  ]) {
    const path = words === '' ? [] : words.split(' ');
    const offered = inBash(...path, '--').sort();
    t.strictSame(offered, [...optionsIn(isthmus(...path, '--help').out)].sort(), words);
  }
  t.strictSame(
    optionList.filter(({ row }) => !inBash('serve', row.flag).includes(row.flag)),
    [],
    'those of the table of options among them',
  );
});

t.test('fish offers the same', async (t) => {
  const script = scriptFor('fish');
  const inFish = (line: string) =>
    inShell('fish', `source ${script}; complete -C '${line}'`)?.map((each) => each.split('\t')[0]);
  if (inFish('isthmus ') === undefined) return t.comment('fish is not installed: not tried');
  t.strictSame(inFish('isthmus va'), ['validate']);
  t.strictSame(inFish('isthmus drill live e'), ['evacuate']);
  t.strictSame(inFish('isthmus bootstrap --role '), ['egress', 'grpc', 'ingress', 'sidecar']);
  t.strictSame(inFish('isthmus bootstrap --role=si'), ['--role=sidecar']);
  t.strictSame(inFish('isthmus serve --idc drill --log-level deb'), ['debug']);
  t.strictSame(inFish('isthmus validate reg')?.sort(), ['registry of objects/', 'registry.yaml']);
  const offered = inFish('isthmus serve --') ?? [];
  t.strictSame(
    optionList.filter(({ row }) => !offered.includes(row.flag)),
    [],
  );
});

t.test('zsh completes what has one meaning', async (t) => {
  const script = scriptFor('zsh');
  // A terminal of its own, in which the completed line runs a function that says what it was given.
  const program = `
    zmodload zsh/zpty
    zpty z zsh -f -i
    zpty -w z "PROMPT='' RPROMPT='' PS2=''; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; source $0"
    zpty -w z 'isthmus() { print -r -- "<G""OT \${(j:|:)@} >" }'
    for line in "$@"; do
      zpty -w -n z "$line"$'\\t\\n'
      zpty -r -m z all '*<GOT * >*'
      print -r -- \${\${\${all##*<GOT }%% >*}%%\\|}
    done
    zpty -d z`;
  const lines: Readonly<Record<string, string>> = {
    'isthmus boot': 'bootstrap',
    'isthmus drill live ev': 'drill|live|evacuate',
    'isthmus serve --registr': 'serve|--registrations',
    'isthmus serve --idc drill --log-level deb': 'serve|--idc|drill|--log-level|debug',
    'isthmus bootstrap --role=si': 'bootstrap|--role=sidecar',
    'isthmus serve --config reg': 'serve|--config|registry of objects',
  };
  const got = inShell('zsh', program, script, ...Object.keys(lines));
  if (got === undefined) return t.comment('zsh is not installed: not tried');
  t.strictSame(got, Object.values(lines));
});

t.test('a shell that it does not know is told those that it does', async (t) => {
  const { code, out, err } = isthmus('completion', 'tcsh');
  t.match({ code, out, err }, { code: 2, out: '', err: /bash, zsh, fish/ });
});
