import { systemClock } from '../base/clock.ts';
import { lookMs, readOffset, seenFile, writeOffset } from './clock-file.ts';

/*
 * Imported before a program (`node --import clock-step.ts?file=FILE …`): the wall clock of this thread, as everything in it sees it
 * (Date, and what asks Date), is off by the milliseconds in FILE from the moment that they stand there. The monotonic clock is not.
 */

const file = new URL(import.meta.url).searchParams.get('file') ?? '';
const Real = Date;
const { now } = Real;
let offsetMs = readOffset(file);

class Stepped extends Real {
  constructor(...given: readonly unknown[]) {
    // With no argument it is the present.
    super(...((given.length === 0 ? [now() + offsetMs] : given) as [number]));
  }

  static override now(): number {
    return now() + offsetMs;
  }
}

globalThis.Date = Stepped as DateConstructor;

function look(): void {
  const next = readOffset(file);
  if (next !== offsetMs) {
    offsetMs = next;
    writeOffset(seenFile(file), offsetMs);
  }
  systemClock.after(lookMs, look);
}

look();
