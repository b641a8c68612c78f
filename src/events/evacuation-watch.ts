import type { Clock, Timer } from '../base/clock.ts';
import { type Evacuation, nextChangeAt, percentAt } from '../model/evacuation.ts';
import { cut, cutList } from './cut.ts';
import type { EventSink, NewEvent } from './event.ts';

type EvacuationEvent = Extract<NewEvent, { readonly kind: 'evacuation' }>;

interface EvacuationWatchOptions {
  readonly clock: Clock;
  readonly events: EventSink;
}

/** An evacuation as it was told last. */
interface Told {
  readonly object: Evacuation;
  readonly percent: number;
  /** Renewals since one was told, and when that was. */
  readonly renewals: number;
  readonly renewedAt: number;
}

/** A command renews its evacuation each few seconds: told once in so many milliseconds. */
export const renewalsToldMs = 600_000;
/** The machine's clock may be set. */
const lookMsMax = 10_000;

/** Tells when evacuations begin, change and end, by an edit or by the clock. */
export class EvacuationWatch {
  readonly #options: EvacuationWatchOptions;
  readonly #told = new Map<string, Told>();
  #all: ReadonlyMap<string, Evacuation> = new Map();
  #timer: Timer | undefined;

  constructor(options: EvacuationWatchOptions) {
    this.#options = options;
  }

  /** As `apply`, during a start: those that it finds, and that nobody has asked for since, are no news. */
  begin(all: ReadonlyMap<string, Evacuation>, by: (name: string) => string | undefined): void {
    const wall = this.#options.clock.wall();
    for (const [name, object] of all)
      if (by(name) === undefined) this.#told.set(name, toldNow(object, percentAt(object.spec, wall)));
    this.apply(all, by);
  }

  /** The evacuations after an edit; `by`: who asked for the edit of a name. */
  apply(all: ReadonlyMap<string, Evacuation>, by: (name: string) => string | undefined): void {
    this.#all = all;
    this.#look(by);
  }

  close(): void {
    this.#timer?.cancel();
  }

  #look(by: (name: string) => string | undefined = () => undefined): void {
    const wall = this.#options.clock.wall();
    for (const [name, { object, percent }] of this.#told)
      if (!this.#all.has(name)) {
        this.#told.delete(name);
        // One whose time was over has been told.
        if (object.spec.expiresAt > wall) this.#tell('ended', object, percent, by(name));
      }
    for (const [name, object] of this.#all) this.#lookAt(name, object, wall, by(name));
    this.#schedule();
  }

  #lookAt(name: string, object: Evacuation, wall: number, by: string | undefined): void {
    const before = this.#told.get(name);
    const percent = percentAt(object.spec, wall);
    if (before?.object === object && before.percent === percent) return;
    const phase = phaseOf(before, object, percent, wall);
    if (phase === 'renewed' && before !== undefined) {
      this.#renewed(name, before, object, percent, by);
      return;
    }
    this.#told.set(name, toldNow(object, percent));
    if (phase !== undefined) this.#tell(phase, object, percent, by);
  }

  #renewed(name: string, before: Told, object: Evacuation, percent: number, by: string | undefined): void {
    const now = this.#options.clock.now();
    const isDue = now - before.renewedAt >= renewalsToldMs;
    const renewals = before.renewals + 1;
    this.#told.set(name, {
      ...{ object, percent },
      ...(isDue ? { renewals: 0, renewedAt: now } : { renewals, renewedAt: before.renewedAt }),
    });
    if (isDue) this.#tell('renewed', object, percent, by, renewals);
  }

  #tell(
    phase: EvacuationEvent['phase'],
    { meta, spec }: Evacuation,
    percent: number,
    by: string | undefined,
    times = 1,
  ): void {
    this.#options.events.note({
      ...{ kind: 'evacuation', phase, name: meta.name, idc: spec.idc, percent },
      ...(spec.groups.length > 0 ? { groups: cutList(spec.groups) } : {}),
      until: new Date(spec.expiresAt).toISOString(),
      ...(spec.reason === undefined ? {} : { reason: cut(spec.reason) }),
      ...(by === undefined ? {} : { by }),
      ...(times > 1 ? { times } : {}),
    });
  }

  /** Looks when one begins, steps or ends by the clock. */
  #schedule(): void {
    const { clock } = this.#options;
    this.#timer?.cancel();
    const wall = clock.wall();
    const due = [...this.#all.values()].flatMap(({ spec }) => nextChangeAt(spec, wall) ?? []);
    if (due.length === 0) return;
    this.#timer = clock.after(Math.min(Math.min(...due) - wall, lookMsMax), () => this.#look());
  }
}

function toldNow(object: Evacuation, percent: number): Told {
  return { object, percent, renewals: 0, renewedAt: Number.NEGATIVE_INFINITY };
}

/** What has become of it; undefined: nothing that counts. */
function phaseOf(
  before: Told | undefined,
  { spec }: Evacuation,
  percent: number,
  wall: number,
): EvacuationEvent['phase'] | undefined {
  if (spec.expiresAt <= wall) {
    const wasOver = before === undefined || before.percent === 0;
    return wasOver ? undefined : 'expired';
  }
  const was = before?.percent ?? 0;
  if (percent > 0 && was === 0) return 'begun';
  if (before === undefined) return 'scheduled';
  const isSame = percent === was && sameGroups(before.object.spec, spec);
  return isSame && before.object.spec.expiresAt !== spec.expiresAt ? 'renewed' : 'changed';
}

function sameGroups(a: Evacuation['spec'], b: Evacuation['spec']): boolean {
  const idOf = ({ idc, groups, selector = {}, percent, steps }: Evacuation['spec']) =>
    JSON.stringify([idc, groups, Object.entries(selector).sort(), percent, steps]);
  return idOf(a) === idOf(b);
}
