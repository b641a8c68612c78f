#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { MeshError } from '../base/error.ts';
import { bootstrapCommand } from './bootstrapcommand.ts';
import { capacityCommand } from './capacitycommand.ts';
import { deregisterCommand } from './deregistercommand.ts';
import { drillCommand, drillSummary } from './drillcommand.ts';
import { evacuateCommand } from './evacuatecommand.ts';
import { exitCode } from './exit.ts';
import { instancesCommand } from './instancescommand.ts';
import { runCommand } from './runcommand.ts';
import { serveCommand } from './servecommand.ts';
import { statusCommand } from './statuscommand.ts';
import { validateCommand } from './validatecommand.ts';

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

/** The drills are loaded for `isthmus drill` only: no other command needs a line of them, nor do those on a live fleet. */
async function drills(): Promise<Command> {
  if (!process.argv.includes('drill')) return new Command('drill').summary(drillSummary);
  if (process.argv[3] === 'live') return drillCommand([]);
  return drillCommand((await import('../drill/catalog.ts')).drills);
}

const program = new Command('isthmus')
  .description('The control plane for the Envoys at the edges of data centres and beside their workloads.')
  .version(packageVersion(), '-V, --version', 'print the version')
  .showHelpAfterError('(--help says more)')
  .showSuggestionAfterError()
  .enablePositionalOptions()
  .addCommand(serveCommand())
  .addCommand(statusCommand())
  .addCommand(validateCommand())
  .addCommand(bootstrapCommand())
  .addCommand(capacityCommand())
  .addCommand(runCommand())
  .addCommand(deregisterCommand())
  .addCommand(instancesCommand())
  .addCommand(evacuateCommand())
  .addCommand(await drills())
  .addHelpText(
    'after',
    '\nExit codes: 0 done; 1 it ran and failed (invalid objects, a missed bound); 2 it could not run; 130 interrupted.',
  );

/** Lets errors come back here, from the command itself and all below it. */
function overrideExit(command: Command): void {
  command.exitOverride();
  command.commands.forEach(overrideExit);
}
overrideExit(program);

try {
  await program.parseAsync();
} catch (reason) {
  if (reason instanceof CommanderError) {
    // Commander has printed its words already.
    process.exitCode = reason.exitCode === 0 ? exitCode.ok : exitCode.unusable;
  } else {
    const error = MeshError.from(reason);
    process.stderr.write(`isthmus: ${error.ref === undefined ? '' : `${error.ref}: `}${error.message}\n`);
    if (error.code === 'internal') process.stderr.write(`${error.stack}\n`);
    process.exitCode = exitCode.unusable;
  }
}
