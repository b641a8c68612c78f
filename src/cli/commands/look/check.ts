import { Command } from 'commander';
import { exitCode } from '../../../base/exit.ts';
import type { ListenAddress } from '../../../model/values/listen-address.ts';
import { countResults } from '../../check/check-line.ts';
import { checkText } from '../../check/check-text.ts';
import { runChecks } from '../../check/run-checks.ts';
import { helpEnd } from '../../help-end.ts';
import { defaultAdmin, optionalAdminOption } from '../../options/admin.ts';
import { dataText, isData, type OutputFormat, outputOption } from '../../options/output.ts';

interface Flags {
  readonly admin?: readonly ListenAddress[];
  readonly allIdcs?: boolean;
  readonly file?: string;
  readonly tokenFile?: string;
  readonly output: OutputFormat;
}

/** `isthmus check`: whether all that a mesh needs from its surroundings is there. */
export function checkCommand(): Command {
  return new Command('check')
    .summary('check addresses, ports, tokens, clocks, gateways and versions')
    .description(
      'Check what a mesh needs from its surroundings. Of control planes (--admin): whether they, their xDS addresses and the gateways of their Idcs answer this machine; whether egress gateways reach the ingress gateways of other IDCs, as their health checks say; clocks, versions, and the token. Before the first start (--file): the configuration, whether its addresses are free or who has them, its files and their modes. Nothing is changed.',
    )
    .addOption(optionalAdminOption())
    .option(
      '--all-idcs',
      'the other IDCs, too: asks their control planes at the addresses in spec.controlPlanes of each Idc',
    )
    .option(
      '--file <file>',
      'check this configuration of isthmus serve, with ISTHMUS_SERVE_… of the environment; control planes only where --admin names them',
    )
    .option(
      '--token-file <file>',
      'check whether control planes accept the token in this file (env: ISTHMUS_TOKEN_FILE, or ISTHMUS_TOKEN with the token itself)',
    )
    .addOption(
      outputOption('output format; json and yaml: a list with one entry for each line', [
        'table',
        'json',
        'yaml',
      ]),
    )
    .addHelpText(
      'after',
      `
Results:
  ok        as it should be
  warn      it works, or may; look at it
  fail      it does not work
  not seen  it could not be looked at; why is said
${helpEnd({
  exits:
    '0 nothing failed; 1 something failed; 2 nothing could be checked: no control plane answers and no --file is given, or --file cannot be read.',
  examples: [
    'isthmus check --admin 10.1.0.9:15014 --all-idcs --token-file token',
    'isthmus check --file /etc/isthmus/isthmus.yaml',
  ],
})}`,
    )
    .action(check);
}

async function check({ admin, allIdcs, file, tokenFile, output }: Flags): Promise<void> {
  const asked = admin ?? (file === undefined ? defaultAdmin : []);
  const { lines, replies } = await runChecks({ admin: asked, allIdcs: allIdcs === true, file, tokenFile });
  process.stdout.write(isData(output) ? dataText(lines, output) : checkText(lines));
  const isAnswered = replies.told.some((one) => 'reply' in one);
  if (file === undefined && !isAnswered) process.exitCode = exitCode.unusable;
  else if (countResults(lines).fail > 0) process.exitCode = exitCode.failed;
}
