import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { MeshError } from '../base/error.ts';
import { exitCode } from '../base/exit.ts';
import { wrapHelp } from './help-end.ts';
import { endAtBrokenOutput } from './process/broken-output.ts';

/** The version in the package.json above this file, in the source tree as in the built package. */
function packageVersion(): string {
  for (const up of ['../../package.json', '../../../package.json']) {
    try {
      return JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8')).version;
    } catch {
      // Not there: the other place.
    }
  }
  return 'unknown';
}

/** All commands, in the order of the help: what one of them needs is loaded for it alone. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./commands/serve.ts')).serveCommand(),
  config: async () => (await import('./commands/config.ts')).configCommand(),
  status: async () => (await import('./commands/status.ts')).statusCommand(),
  validate: async () => (await import('./commands/validate.ts')).validateCommand(),
  bootstrap: async () => (await import('./commands/bootstrap.ts')).bootstrapCommand(),
  capacity: async () => (await import('./commands/capacity.ts')).capacityCommand(),
  run: async () => (await import('./commands/run.ts')).runCommand(),
  deregister: async () => (await import('./commands/deregister.ts')).deregisterCommand(),
  instances: async () => (await import('./commands/instances.ts')).instancesCommand(),
  evacuate: async () => (await import('./commands/evacuate.ts')).evacuateCommand(),
  drill: drillCommands,
};

/**
 * The drills are loaded for `isthmus drill` only: no other command needs a line of them, nor do those on a
 * live fleet.
 */
async function drillCommands(): Promise<Command> {
  const { drillCommand } = await import('./commands/drill.ts');
  const isNeeded = process.argv.includes('drill') && process.argv[3] !== 'live';
  return drillCommand(isNeeded ? (await import('../drill/catalog.ts')).drills : []);
}

/**
 * The command that is asked for by the first argument; all of them for the help, and to say what may have
 * been meant.
 */
async function commandsFor(first = ''): Promise<Command[]> {
  const asked = Object.hasOwn(commands, first) ? commands[first] : undefined;
  if (asked !== undefined) return [await asked()];
  return Promise.all(Object.values(commands).map((load) => load()));
}

endAtBrokenOutput();

const program = new Command('isthmus')
  .description('The control plane for the Envoys at the edges of data centres and beside their workloads.')
  .version(packageVersion(), '-V, --version', 'print the version')
  .showHelpAfterError('(--help says more)')
  .showSuggestionAfterError()
  .enablePositionalOptions()
  .addHelpText(
    'after',
    '\nExit codes: 0 done; 1 it ran and failed (invalid objects, a missed bound); 2 it could not run; 130 interrupted; 141 nobody reads its output.',
  );

for (const command of await commandsFor(process.argv[2])) program.addCommand(command);

/** Lets errors come back here, from the command itself and all below it. */
function overrideExit(command: Command): void {
  command.exitOverride();
  command.commands.forEach(overrideExit);
}
overrideExit(program);
wrapHelp(program);

try {
  await program.parseAsync();
} catch (reason) {
  if (reason instanceof CommanderError) {
    // Commander has printed its words already.
    process.exitCode = reason.exitCode === 0 ? exitCode.ok : exitCode.unusable;
  } else {
    const error = MeshError.from(reason);
    const { ref, message } = error;
    const where = ref === undefined || message.includes(ref) ? '' : `${ref}: `;
    process.stderr.write(`isthmus: ${where}${message}\n`);
    if (error.code === 'internal') process.stderr.write(`${error.stack}\n`);
    process.exitCode = exitCode.unusable;
  }
}
