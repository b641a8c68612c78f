import { Command, Option } from 'commander';
import { exitCode } from '../../../base/exit.ts';
import { printableLines } from '../../../base/text/safe-excerpt.ts';
import { askEvents, type EventsAnswer } from '../../../client/events-client.ts';
import { eventKinds, eventQuery } from '../../../contract/events.ts';
import type { ListenAddress } from '../../../model/values/listen-address.ts';
import { type AdminReply, errorText, listReplies } from '../../ask-each.ts';
import { askIdcs, notAskedText } from '../../ask-idcs.ts';
import { eventTable, merged, notesOn } from '../../events/events-text.ts';
import { followEvents } from '../../events/follow-events.ts';
import { helpEnd } from '../../help-end.ts';
import { adminOption } from '../../options/admin.ts';
import { allIdcsOption } from '../../options/all-idcs.ts';
import { durationOption } from '../../options/duration.ts';
import { dataText, isData, type OutputFormat, outputOption } from '../../options/output.ts';
import { endWhenInterrupted } from '../../show/show.ts';
import { tellUser } from '../../show/tell.ts';

interface Flags {
  readonly admin: readonly ListenAddress[];
  readonly allIdcs?: boolean;
  /** Milliseconds. */
  readonly since: number;
  readonly kind?: readonly string[];
  readonly follow?: boolean;
  readonly output: OutputFormat;
}

/** `isthmus events`: what happened. */
export function eventsCommand(): Command {
  return new Command('events')
    .summary('show what happened: changes, pushes, refusals, failovers, restarts')
    .description(
      'Show what happened, the oldest first: changes of objects, pushes, refusals by Envoy, failovers and returns of Groups, instances and gateways that do not answer, evacuations, shed load, gateways lost and back, problems of severity error that begin and end, restarts of the control plane. It is what the control plane can see; docs/events.md says from where.',
    )
    .addOption(adminOption())
    .addOption(allIdcsOption('of the other IDCs, too'))
    .addOption(
      durationOption('--since <duration>', 'how far back', '1h', { minMs: 0, maxMs: eventQuery.sinceMsMax }),
    )
    .addOption(new Option('--kind <kind...>', 'only events of these kinds').choices(eventKinds))
    .option('-f, --follow', 'go on with what happens, until Ctrl-C')
    .addOption(
      outputOption(
        'output format; wide: with number, kind, origin and who asked; json and yaml: a list with one entry for each control plane, with --follow each event by itself',
      ),
    )
    .addHelpText(
      'after',
      helpEnd({
        exits: '0 shown; 1 shown, but some control plane does not answer, or is not known; 2 none answers.',
        examples: [
          'isthmus events --admin 10.1.0.9:15014 --all-idcs --since 30m',
          'isthmus events --follow --kind failover nack',
          'isthmus events --since 24h -o json',
        ],
      }),
    )
    .action(show);
}

async function show(flags: Flags): Promise<void> {
  const { admin, allIdcs, since: sinceMs, kind: kinds, output, follow } = flags;
  const asked = { sinceMs, ...(kinds === undefined ? {} : { kinds }) };
  const { told, unknown } = await askIdcs(admin, allIdcs === true, (where) => askEvents(where, asked));
  const missing = unknown.map((idc) => `! ${notAskedText(idc)}`);
  if (follow === true) {
    for (const line of missing) tellUser(line);
    endWhenInterrupted();
    await followEvents(told, asked, output);
    return;
  }
  process.stdout.write(textOf(told, missing, output));
  if (isData(output)) for (const line of missing) tellUser(line);
  if (missing.length > 0 || told.some((one) => 'error' in one)) process.exitCode = exitCode.failed;
}

function textOf(
  told: readonly AdminReply<EventsAnswer>[],
  missing: readonly string[],
  output: OutputFormat,
): string {
  if (isData(output)) return dataText(listReplies(told), output);
  const heard = told.flatMap((one) => ('reply' in one ? [one] : []));
  const events = merged(heard);
  const notes = [
    ...heard.flatMap(({ admin, reply }) => notesOn(admin, reply)),
    ...told.flatMap((one) => ('error' in one ? [`! ${errorText(one)}`] : [])),
    ...missing,
  ];
  const table = events.length === 0 ? ['Nothing happened in this time.'] : eventTable(events, output);
  return `${[...table, ...(notes.length > 0 ? ['', ...notes] : [])].map(printableLines).join('\n')}\n`;
}
