import { systemClock } from '../../base/clock.ts';
import { clockLookMs, readOffset, seenFile, writeOffset } from './clock-file.ts';

/*
 * Imported before a program (`node --import clock-step.ts?file=FILE …`): the wall clock of this thread, as
 * everything in it sees it (Date, and what asks Date), is off by the milliseconds in FILE from the moment
 * that they stand there. The monotonic clock is not.
 */

const file = new URL(import.meta.url).searchParams.get('file') ?? '';
const Real = Date;
const { now } = Real;
let offsetMs = readOffset(file);

const stepped = () => now() + offsetMs;

globalThis.Date = new Proxy(Real, {
  // With no argument it is the present.
  construct: (target, given, as) => Reflect.construct(target, given.length === 0 ? [stepped()] : given, as),
  apply: () => new Real(stepped()).toString(),
  get: (target, key) => (key === 'now' ? stepped : Reflect.get(target, key)),
});

function look(): void {
  const next = readOffset(file);
  if (next !== offsetMs) {
    offsetMs = next;
    writeOffset(seenFile(file), offsetMs);
  }
  systemClock.after(clockLookMs, look);
}

look();
