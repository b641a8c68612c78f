import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import t from 'tap';
import { bootstrapCommand } from '../../src/cli/commands/bootstrap.ts';
import { capacityCommand } from '../../src/cli/commands/capacity.ts';
import { completionCommand } from '../../src/cli/commands/completion.ts';
import { configCommand } from '../../src/cli/commands/config.ts';
import { deregisterCommand } from '../../src/cli/commands/deregister.ts';
import { drainCommand, undrainCommand } from '../../src/cli/commands/drain.ts';
import { drillCommand } from '../../src/cli/commands/drill.ts';
import { evacuateCommand } from '../../src/cli/commands/evacuate.ts';
import { instancesCommand } from '../../src/cli/commands/instances.ts';
import { captureCommand } from '../../src/cli/commands/kube/capture.ts';
import { injectCommand } from '../../src/cli/commands/kube/inject.ts';
import { registrarCommand } from '../../src/cli/commands/kube/registrar.ts';
import { releaseFinalizersCommand } from '../../src/cli/commands/kube/release-finalizers.ts';
import { webhookCommand } from '../../src/cli/commands/kube/webhook.ts';
import { bugReportCommand } from '../../src/cli/commands/look/bug-report.ts';
import { checkCommand } from '../../src/cli/commands/look/check.ts';
import { diffCommand } from '../../src/cli/commands/look/diff.ts';
import { evacuationsCommand } from '../../src/cli/commands/look/evacuations.ts';
import { eventsCommand } from '../../src/cli/commands/look/events.ts';
import { explainCommand } from '../../src/cli/commands/look/explain.ts';
import { statusCommand } from '../../src/cli/commands/look/status.ts';
import { topCommand } from '../../src/cli/commands/look/top.ts';
import { waitCommand } from '../../src/cli/commands/look/wait.ts';
import { whoCommand } from '../../src/cli/commands/look/who.ts';
import { quickstartCommand } from '../../src/cli/commands/quickstart.ts';
import { runCommand } from '../../src/cli/commands/run.ts';
import { serveCommand } from '../../src/cli/commands/serve.ts';
import { caCommand } from '../../src/cli/commands/trust/ca.ts';
import { identityCommand } from '../../src/cli/commands/trust/identity.ts';
import { validateCommand } from '../../src/cli/commands/validate.ts';
import { versionCommand } from '../../src/cli/commands/version.ts';
import { wrapHelp } from '../../src/cli/help-end.ts';
import { drills } from '../../src/drill/catalog.ts';

const drill = drillCommand(drills);
const commands = [
  ...[serveCommand(), statusCommand(), validateCommand(), bootstrapCommand(), capacityCommand()],
  ...[runCommand(), deregisterCommand(), instancesCommand(), evacuateCommand(), drill, whoCommand()],
  ...[eventsCommand(), explainCommand(), waitCommand(), diffCommand(), checkCommand(), bugReportCommand()],
  ...[caCommand(), identityCommand()],
  ...[injectCommand(), captureCommand(), webhookCommand(), registrarCommand(), releaseFinalizersCommand()],
  ...[topCommand(), drainCommand(), undrainCommand(), evacuationsCommand()],
  ...[quickstartCommand(), configCommand(), versionCommand(), completionCommand(async () => drill)],
];

/** A command and all below it, each with its words as they are typed. */
function withAllBelow(command: Command, above = ''): { words: string; command: Command }[] {
  const words = `${above}${command.name()}`;
  return [{ words, command }, ...command.commands.flatMap((each) => withAllBelow(each, `${words} `))];
}

/** What `--help` shows in a terminal of 80 columns. */
function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
    getOutHelpWidth: () => 80,
  });
  command.outputHelp();
  return text;
}

const all = commands.flatMap((command) => withAllBelow(command));

t.test('the help of each command says how it ends and how it is used, within 80 columns', async (t) => {
  t.ok(all.length > 25);
  for (const command of commands) wrapHelp(command);
  for (const { words, command } of all) {
    const text = helpOf(command);
    t.match(text, /^Exit code: /m, words);
    t.match(text, /^Example:\n {2}\S/m, words);
    t.strictSame(
      text.split('\n').filter((line) => line.length > 80),
      [],
      words,
    );
    t.notMatch(text, /default: (?:\{\}|\[)/, words);
    t.notMatch(
      text,
      /\S\) \(|\([^()]*default:[^()]*default:/,
      `${words}: notes in one pair of parentheses, each once`,
    );
  }
});

t.test(
  'an option that must be given is marked, and choices that its name shows are not said again',
  async (t) => {
    const help = (words: string) => helpOf(all.find((each) => each.words === words)?.command ?? drill);
    t.match(help('serve'), /--idc <name>\s+the IDC that this control plane decides\s+for\s+\(required\)/);
    t.match(help('capacity'), /\(required;\s+env:\s+ISTHMUS_ENVOY\)/);
    t.match(help('bootstrap'), /\(sidecar, ingress, egress or grpc;\s+required\)/);
    t.notMatch(help('serve'), /on\s+or\s+off/);
  },
);

t.test('the docs have each flag of what evacuates and drills', async (t) => {
  // Rates are told by the names of their loads.
  const pages: Readonly<Record<string, readonly string[]>> = {
    evacuate: ['evacuation'],
    'drill live evacuate': ['live'],
    capacity: ['objects'],
    'drill run': ['drills'],
    'drill all': ['drills'],
    'drill chaos': ['drills'],
  };
  for (const [words, names] of Object.entries(pages)) {
    const text = names
      .map((name) => readFileSync(new URL(`../../docs/${name}.md`, import.meta.url), 'utf8'))
      .join();
    const found = all.find((each) => each.words === words)?.command.options ?? [];
    t.ok(found.length > 0, words);
    for (const { long = '', short = long } of found.filter(
      (each) => !/^--(?:caller|edge|more)-rate$/.test(each.long ?? ''),
    ))
      t.match(text, new RegExp(`(?:${long}|${short})(?![a-z-])`), `${words} ${long}`);
  }
});
