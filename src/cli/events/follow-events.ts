import { keepProcess, sleep, systemClock } from '../../base/clock.ts';
import { MeshError } from '../../base/error.ts';
import { escapedInQuotes, printable } from '../../base/text/safe-excerpt.ts';
import { askEvents, awaitEvents, type EventsAnswer, type EventsAsked } from '../../client/events-client.ts';
import { readAddress } from '../../config/address.ts';
import type { ListenAddress } from '../../model/values/listen-address.ts';
import { type AdminReply, errorText } from '../ask-each.ts';
import { dataText } from '../options/output.ts';
import { tellUser } from '../show/tell.ts';
import { type EventsWidth, eventLine, merged, notesOn, type SourcedEvent } from './events-text.ts';

type Output = EventsWidth | 'json' | 'yaml';

/** Times in milliseconds. */
const times = {
  /** A control plane is asked to wait so long for its next event. */
  wait: 30_000,
  /** Events that come together are read together. */
  collect: 250,
  /** One that does not answer is asked again. */
  again: 1_000,
} as const;

/** Prints the events of the first answers, and then each that comes. Never resolves: Ctrl-C ends it. */
export async function followEvents(
  told: readonly AdminReply<EventsAnswer>[],
  asked: EventsAsked,
  output: Output,
): Promise<void> {
  keepProcess();
  const heard = told.flatMap((one) => ('reply' in one ? [one] : []));
  print(merged(heard), output);
  for (const { admin, reply } of heard) for (const note of notesOn(admin, reply)) tellUser(note);
  await Promise.all(told.map((one) => followOne(one, asked, output)));
}

async function followOne(first: AdminReply<EventsAnswer>, asked: EventsAsked, output: Output): Promise<void> {
  const where: ListenAddress = readAddress(first.admin);
  const { kinds } = asked;
  let after = 'reply' in first ? first.reply.last : undefined;
  let isAway = 'error' in first;
  if ('error' in first) tellUser(`! ${errorText(first)}`);
  for (;;) {
    try {
      if (after !== undefined) {
        const last = await awaitEvents(where, after, times.wait);
        if (isAway) tellUser(`! ${first.admin} answers again`);
        isAway = false;
        if (last === after) continue;
        await sleep(systemClock, times.collect);
      }
      const question = { ...(after === undefined ? asked : { after }), ...(kinds && { kinds }) };
      const reply = await askEvents(where, question);
      print(merged([{ admin: first.admin, reply }]), output);
      after = reply.last;
    } catch (reason) {
      // It may be restarting, which is an event too.
      if (!isAway) tellUser(`! ${errorText({ admin: first.admin, error: MeshError.from(reason) })}`);
      isAway = true;
      await sleep(systemClock, times.again);
    }
  }
}

function print(events: readonly SourcedEvent[], output: Output): void {
  for (const one of events) process.stdout.write(textOf(one, output));
}

function textOf(one: SourcedEvent, output: Output): string {
  const flat = { admin: one.admin, idc: one.idc, ...one.event };
  if (output === 'json') return `${escapedInQuotes(JSON.stringify(flat))}\n`;
  if (output === 'yaml') return `---\n${dataText(flat, output)}`;
  return `${printable(eventLine(one, output))}\n`;
}
