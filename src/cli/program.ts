import { Command, CommanderError } from 'commander';
import { exitCode } from '../base/exit.ts';
import { packageVersion } from '../base/package/version.ts';
import { printableLines } from '../base/text/safe-excerpt.ts';
import { helpEnd, wrapHelp } from './help-end.ts';
import { requireAtOnce } from './options/required.ts';
import { endAtBrokenOutput } from './process/broken-output.ts';

/**
 * All commands, in the order of the life of a control plane: try it, check objects, serve, connect proxies,
 * look, register instances, practise. What one of them needs is loaded for it alone.
 */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  quickstart: async () => (await import('./commands/quickstart.ts')).quickstartCommand(),
  validate: async () => (await import('./commands/validate.ts')).validateCommand(),
  config: async () => (await import('./commands/config.ts')).configCommand(),
  serve: async () => (await import('./commands/serve.ts')).serveCommand(),
  bootstrap: async () => (await import('./commands/bootstrap.ts')).bootstrapCommand(),
  ca: async () => (await import('./commands/trust/ca.ts')).caCommand(),
  identity: async () => (await import('./commands/trust/identity.ts')).identityCommand(),
  inject: async () => (await import('./commands/kube/inject.ts')).injectCommand(),
  webhook: async () => (await import('./commands/kube/webhook.ts')).webhookCommand(),
  registrar: async () => (await import('./commands/kube/registrar.ts')).registrarCommand(),
  'release-finalizers': async () =>
    (await import('./commands/kube/release-finalizers.ts')).releaseFinalizersCommand(),
  capture: async () => (await import('./commands/kube/capture.ts')).captureCommand(),
  status: async () => (await import('./commands/look/status.ts')).statusCommand(),
  check: async () => (await import('./commands/look/check.ts')).checkCommand(),
  'bug-report': async () => (await import('./commands/look/bug-report.ts')).bugReportCommand(),
  who: async () => (await import('./commands/look/who.ts')).whoCommand(),
  top: async () => (await import('./commands/look/top.ts')).topCommand(),
  explain: async () => (await import('./commands/look/explain.ts')).explainCommand(),
  events: async () => (await import('./commands/look/events.ts')).eventsCommand(),
  diff: async () => (await import('./commands/look/diff.ts')).diffCommand(),
  wait: async () => (await import('./commands/look/wait.ts')).waitCommand(),
  run: async () => (await import('./commands/run.ts')).runCommand(),
  instances: async () => (await import('./commands/instances.ts')).instancesCommand(),
  deregister: async () => (await import('./commands/deregister.ts')).deregisterCommand(),
  drain: async () => (await import('./commands/drain.ts')).drainCommand(),
  undrain: async () => (await import('./commands/drain.ts')).undrainCommand(),
  evacuate: async () => (await import('./commands/evacuate.ts')).evacuateCommand(),
  evacuations: async () => (await import('./commands/look/evacuations.ts')).evacuationsCommand(),
  capacity: async () => (await import('./commands/capacity.ts')).capacityCommand(),
  drill: () => drillCommands(process.argv.includes('drill') && process.argv[3] !== 'live'),
  version: async () => (await import('./commands/version.ts')).versionCommand(),
  completion: async () => (await import('./commands/completion.ts')).completionCommand(wholeProgram),
};

/**
 * The drills are loaded only for `isthmus drill` and the completion: no other command needs them, nor do
 * drills on a live fleet.
 */
async function drillCommands(areNeeded: boolean): Promise<Command> {
  const { drillCommand } = await import('./commands/drill.ts');
  return drillCommand(areNeeded ? (await import('../drill/catalog.ts')).drills : []);
}

/** The command named by the first argument; all of them for the help, and for suggestions. */
async function commandsFor(first = ''): Promise<Command[]> {
  if (first === '-V' || first === '--version') return [];
  const asked = Object.hasOwn(commands, first) ? commands[first] : undefined;
  if (asked !== undefined) return [await asked()];
  return Promise.all(Object.values(commands).map((load) => load()));
}

/** The program with these commands. */
function programOf(below: readonly Command[]): Command {
  const program = new Command('isthmus')
    .description('The control plane for the Envoys at the edges of data centres and beside their workloads.')
    .version(packageVersion, '-V, --version', 'print the version')
    .showHelpAfterError('(--help says more)')
    .showSuggestionAfterError()
    .enablePositionalOptions()
    .addHelpText(
      'after',
      helpEnd({
        exits:
          '0 done; 1 it ran and failed (invalid objects, a missed bound); 2 it could not run; 130 interrupted; 141 nobody reads its output.',
        examples: [
          'isthmus validate config/',
          'isthmus serve --idc sh-a --config config/ --xds 10.1.0.9:15010',
          'isthmus serve --help',
        ],
      }),
    );
  for (const command of below) program.addCommand(command);
  requireAtOnce(program);
  wrapHelp(program);
  return program;
}

/** The program with all commands and all drills. */
async function wholeProgram(): Promise<Command> {
  const all = { ...commands, drill: () => drillCommands(true) };
  return programOf(await Promise.all(Object.values(all).map((load) => load())));
}

/** Makes errors of the command and its subcommands throw; what they quote cannot control a terminal. */
function overrideExit(command: Command): void {
  command.exitOverride();
  command.configureOutput({
    writeErr: (text) => void process.stderr.write(printableLines(text)),
  });
  command.commands.forEach(overrideExit);
}

endAtBrokenOutput();
const program = programOf(await commandsFor(process.argv[2]));
overrideExit(program);

try {
  await program.parseAsync();
} catch (reason) {
  if (reason instanceof CommanderError) {
    // Commander has printed its message already.
    process.exitCode = reason.exitCode === 0 ? exitCode.ok : exitCode.unusable;
  } else {
    const { faultOrAnswerText } = await import('./process/fault-text.ts');
    process.stderr.write(`isthmus: ${await faultOrAnswerText(reason)}\n`);
    process.exitCode = exitCode.unusable;
  }
}
