import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import t from 'tap';
import { capacityCommand } from '../../src/cli/commands/capacity.ts';
import { drainCommand, undrainCommand } from '../../src/cli/commands/drain.ts';
import { instancesCommand } from '../../src/cli/commands/instances.ts';
import { checkCommand } from '../../src/cli/commands/look/check.ts';
import { configShowCommand } from '../../src/cli/commands/look/config-show.ts';
import { diffCommand } from '../../src/cli/commands/look/diff.ts';
import { evacuationsCommand } from '../../src/cli/commands/look/evacuations.ts';
import { eventsCommand } from '../../src/cli/commands/look/events.ts';
import { explainCommand } from '../../src/cli/commands/look/explain.ts';
import { statusCommand } from '../../src/cli/commands/look/status.ts';
import { topCommand } from '../../src/cli/commands/look/top.ts';
import { waitCommand } from '../../src/cli/commands/look/wait.ts';
import { whoCommand } from '../../src/cli/commands/look/who.ts';
import { validateCommand } from '../../src/cli/commands/validate.ts';
import { versionCommand } from '../../src/cli/commands/version.ts';
import { screenText } from '../../src/cli/show/frame.ts';
import { lasting } from '../../src/cli/show/lasting.ts';
import { looks } from '../support/planes/looks.ts';

// The table of what is shown and how, in docs/commands.md, is that of the commands and of the test that
// runs them.

const commands: readonly Command[] = [
  ...[statusCommand(), whoCommand(), explainCommand(), eventsCommand(), diffCommand(), waitCommand()],
  ...[configShowCommand(), instancesCommand(), evacuationsCommand(), capacityCommand(), versionCommand()],
  ...[validateCommand(), topCommand(), checkCommand(), drainCommand(), undrainCommand()],
];
const named = (name: string) => commands.find((command) => command.name() === name.replace('config ', ''));
const page = readFileSync(new URL('../../docs/commands.md', import.meta.url), 'utf8');
const rows = page
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .filter(([, , formats]) => formats?.startsWith('table, ') === true)
  .map(([, name = '', formats = '', wide, watch, allIdcs]) => {
    return { name: name.replaceAll('`', ''), formats, wide, watch, allIdcs };
  });
/** Those that answer in all formats: each has a row of the test that runs them. */
const whole = rows.filter(({ formats }) => formats.includes('wide'));

t.test('the docs have each command, with its formats and options', async (t) => {
  t.strictSame(
    rows.map(({ name }) => name).sort(),
    commands.map((command) => (command.name() === 'show' ? 'config show' : command.name())).sort(),
  );
  for (const { name, formats, watch, allIdcs } of rows) {
    const options = named(name)?.options ?? [];
    const has = (flag: string) => options.some(({ long }) => long === flag);
    t.equal(options.find(({ long }) => long === '--output')?.argChoices?.join(', '), formats, name);
    t.equal(has('--watch'), watch === 'yes', `${name} --watch`);
    t.equal(has('--all-idcs'), allIdcs === 'yes', `${name} --all-idcs`);
  }
});

t.test('each exit code in the help of a command is one that a test makes it end with', async (t) => {
  t.strictSame(
    looks.map(({ command }) => command).sort(),
    whole.map(({ name }) => name.replace(' show', '')).sort(),
  );
  for (const { command, exits, watched } of looks) {
    const own = named(command === 'config' ? 'show' : command) as Command;
    let help = '';
    own.configureOutput({ writeOut: (text) => (help += text) });
    own.outputHelp();
    const said = (/Exit code: ((?:.|\n)*?)\n\n/.exec(help)?.[1] ?? '').replaceAll(/\s+/g, ' ');
    const codes = [...said.matchAll(/(?:^|; )(\d+) /g)]
      .map(([, code]) => code)
      .filter((code) => code !== '130');
    t.strictSame(codes, Object.keys(exits), command);
    t.equal(watched === true, rows.find(({ name }) => name.startsWith(command))?.watch === 'yes', command);
  }
});

t.test('what time alone changes is no change', async (t) => {
  const at = (seconds: number, state: string) => ({
    at: `2026-01-01T00:00:0${seconds}Z`,
    nodes: [
      { id: 'a', connectedForMs: seconds * 1_000, types: { CDS: { state, sent: { agoMs: seconds } } } },
    ],
    leaseEndsIn: `${seconds} s`,
  });
  t.strictSame(lasting(at(1, 'SYNCED')), lasting(at(2, 'SYNCED')));
  t.notSame(lasting(at(1, 'SYNCED')), lasting(at(1, 'STALE')));
});

t.test('a frame is drawn from the first row, and no longer than the window', async (t) => {
  const plain = (text: string, rows: number) =>
    screenText(text, { rows, columns: 10 }).replaceAll('\x1b', '^').split('\n');
  t.strictSame(plain('a\nb\n', 5), ['^[Ha^[K', 'b^[K', '^[J']);
  t.strictSame(plain('a\nb\nc\nd\n', 4), [
    '^[Ha^[K',
    'b^[K',
    '… 2 more lines: enlarge the window, or leave out --watch^[K',
    '^[J',
  ]);
  const wrapped = plain(`${'x'.repeat(25)}\nb\n`, 4);
  t.match(wrapped[0], '^[H… 2 more lines', 'a line that takes three rows has no room in four');
});
