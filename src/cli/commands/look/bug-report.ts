import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { systemClock } from '../../../base/clock.ts';
import { MeshError } from '../../../base/error.ts';
import { exitCode } from '../../../base/exit.ts';
import { describeSystemError } from '../../../base/system-error.ts';
import type { ListenAddress } from '../../../model/values/listen-address.ts';
import { collectReport } from '../../bug-report/report.ts';
import { helpEnd } from '../../help-end.ts';
import { adminOption } from '../../options/admin.ts';
import { tellUser } from '../../show/tell.ts';

interface Flags {
  readonly admin: readonly ListenAddress[];
  readonly allIdcs?: boolean;
  readonly file?: string;
  readonly tokenFile?: string;
}

/** `isthmus bug-report [FILE]`: what a maintainer needs to know, in one file. */
export function bugReportCommand(): Command {
  return new Command('bug-report')
    .summary('collect what a maintainer needs to know, without secrets')
    .description(
      'Collect in one text file what a maintainer needs to know: versions, results of `isthmus check`, and of each control plane its readiness, configuration, status, problems, events, metrics and a line for each proxy. Tokens, passwords, keys and headers are redacted; of environment variables it has names only. A control plane that does not answer is told in the report. Nothing is changed.',
    )
    .argument(
      '[path]',
      'the report to write, a file that does not exist; - for standard output (default: isthmus-bug-report-TIME.txt)',
    )
    .addOption(adminOption())
    .option(
      '--all-idcs',
      'of the other IDCs, too: asks their control planes at the addresses in spec.controlPlanes of each Idc',
    )

    .option('--file <file>', 'also this configuration of isthmus serve, as it would be in force')
    .option(
      '--token-file <file>',
      'also whether control planes accept the token in this file (env: ISTHMUS_TOKEN_FILE, or ISTHMUS_TOKEN with the token itself)',
    )
    .addHelpText(
      'after',
      helpEnd({
        exits:
          '0 written; 1 written, but some control plane does not answer, or a part is missing; 2 the file cannot be written.',
        examples: [
          'isthmus bug-report --admin 10.1.0.9:15014 --all-idcs report.txt',
          'isthmus bug-report - | less',
        ],
      }),
    )
    .action(report);
}

async function report(given: string | undefined, flags: Flags): Promise<void> {
  const { admin, allIdcs, file, tokenFile } = flags;
  const { text, contents, missing, redactions } = await collectReport({
    ...{ admin, allIdcs: allIdcs === true, file, tokenFile, say },
  });
  const path = given ?? defaultName();
  if (path === '-') process.stdout.write(text);
  else write(path, text);
  const kib = Math.ceil(Buffer.byteLength(text) / 1024);
  say(
    `${path === '-' ? 'written' : `${path} is written`}: ${contents.length} parts, ${kib} KiB, ${redactions} places redacted`,
  );
  for (const one of missing) say(`missing: ${one}`);
  say('read it before you pass it on; its first lines say what is in it and what is not');
  if (missing.length > 0) process.exitCode = exitCode.failed;
}

/** Throws MeshError `unavailable`. The file is for its owner alone. */
function write(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    const message = `${path} cannot be written: ${describeSystemError(cause)}; give another file`;
    throw new MeshError('unavailable', message, { cause });
  }
}

function defaultName(): string {
  const time = new Date(systemClock.wall()).toISOString().replace(/[-:]|\.\d+/g, '');
  return `isthmus-bug-report-${time}.txt`;
}

function say(words: string): void {
  tellUser(`bug-report: ${words}`);
}
