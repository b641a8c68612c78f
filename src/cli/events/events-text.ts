import { counted } from '../../base/text/counted.ts';
import { printable } from '../../base/text/safe-excerpt.ts';
import { textTable } from '../../base/text/text-table.ts';
import type { EventsAnswer, ToldEvent } from '../../client/events-client.ts';
import { eventText } from './event-text.ts';

/** An event, and who told it. */
export interface SourcedEvent {
  readonly admin: string;
  readonly idc: string;
  readonly event: ToldEvent;
}

/** Width of a table; 'wide': with numbers, and where and by whom. */
export type EventsWidth = 'table' | 'wide';

/** The events of all, the oldest first. */
export function merged(
  told: readonly { readonly admin: string; readonly reply: EventsAnswer }[],
): SourcedEvent[] {
  const all = told.flatMap(({ admin, reply }) =>
    reply.events.map((event): SourcedEvent => ({ admin, idc: reply.idc, event })),
  );
  return all.sort((a, b) => Date.parse(a.event.at) - Date.parse(b.event.at) || a.event.id - b.event.id);
}

/** Lines of a table; the header is the first. */
export function eventTable(events: readonly SourcedEvent[], width: EventsWidth): string[] {
  return textTable([header(width), ...events.map((one) => cells(one, width))]);
}

function header(width: EventsWidth): string[] {
  return width === 'wide'
    ? ['TIME', 'IDC', 'CONTROL PLANE', 'ID', 'KIND', 'WHERE', 'BY', 'EVENT']
    : ['TIME', 'IDC', 'EVENT'];
}

function cells({ admin, idc, event }: SourcedEvent, width: EventsWidth): string[] {
  const text = printable(eventText(event));
  if (width === 'table') return [event.at, idc, text];
  const { where, by, source } = event as { where?: string; by?: string; source?: string };
  const from = [source, where].filter((one) => one !== undefined).join(' ');
  return [event.at, idc, admin, String(event.id), event.kind, printable(from) || '-', by ?? '-', text];
}

/** Widths of the columns before the last, for lines that come one by one. */
const followWidths: Readonly<Record<EventsWidth, readonly number[]>> = {
  table: [24, 8],
  wide: [24, 8, 21, 16, 12, 24, 15],
};

/** One event as a line, when it comes. */
export function eventLine(one: SourcedEvent, width: EventsWidth): string {
  const widths = followWidths[width];
  return cells(one, width)
    .map((text, column) => text.padEnd(widths[column] ?? 0))
    .join('  ')
    .trimEnd();
}

/** What is to be known of a control plane's list; empty: nothing. */
export function notesOn(admin: string, { kept, keptWhy, dropped }: EventsAnswer): string[] {
  return [
    ...(kept === 'memory'
      ? [`! ${admin} has its events in memory only, a restart loses them: ${keptWhy}`]
      : []),
    ...(dropped > 0
      ? [`! ${admin} has not kept ${counted(dropped, 'event')} since its start: there were too many`]
      : []),
  ].map(printable);
}
