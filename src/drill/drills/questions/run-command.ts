import { readFileSync } from 'node:fs';
import { entryPoint } from '../../process/process.ts';
import { machineClock } from '../../time.ts';
import type { Stage } from '../../world/stage.ts';
import { idcOf } from '../../world/topology.ts';
import { halfDead } from './names.ts';
import type { CommandOutput, Question } from './question.ts';

/** A command that hangs is ended after this time, in milliseconds. */
const commandMsMax = 20_000;

let count = 0;

/** The arguments of a question's command, as an operator gives them. `dir`: a proposed folder. */
export function argumentsOf(
  { command, at = [halfDead] }: Pick<Question, 'command' | 'at'>,
  { topology }: Pick<Stage, 'topology'>,
  dir: string,
): string[] {
  const admins = at.flatMap((idc) => {
    const { address, port } = idcOf(topology, idc).controlAdmin;
    return ['--admin', `${address}:${port}`];
  });
  const words = command.split(' ').map((word) => (word === 'DIR' ? dir : word));
  // `wait` has no output but its progress.
  return [...words, ...admins, ...(words[0] === 'wait' ? [] : ['-o', 'json'])];
}

/**
 * Runs `isthmus` as an operator would, in a process of its own, and resolves with what it printed and how it
 * ended. Its failure is an answer.
 */
export async function askCommand(
  { crew, paths }: Pick<Stage, 'crew' | 'paths'>,
  args: readonly string[],
): Promise<CommandOutput> {
  const name = `ask-${count++}`;
  const output = paths.log(`${name}-output`);
  const running = crew.start({
    name,
    command: '/bin/sh',
    // Into a file: it is whole when the process has ended.
    args: [
      '-c',
      'out=$1; shift; exec "$@" >"$out"',
      'sh',
      output,
      process.execPath,
      entryPoint('../cli/main'),
      ...args,
    ],
    logFile: paths.log(name),
  });
  running.expectExit();
  const timer = machineClock.after(commandMsMax, () => running.signal('SIGKILL'));
  const { code } = await running.exited;
  timer.cancel();
  return { code, stdout: readFileSync(output, 'utf8'), stderr: readFileSync(paths.log(name), 'utf8') };
}
