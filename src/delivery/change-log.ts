import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { cut } from '../events/cut.ts';
import type { EventSink } from '../events/event.ts';
import { fieldChanges } from '../events/field-changes.ts';
import { type Change, type Ref, refKey, refOf, showRef } from '../model/object.ts';

/** Events for the changes that were read together: a large edit must not fill the log. */
const toldMax = 20;

/** How long the name of who asked for a change waits for it, in milliseconds, and how many of them. */
const askedLimits = { waitMs: 10_000, names: 1_000 } as const;

type EditOf<One> = One extends { readonly type: 'synced' } ? never : One;
type Edit = EditOf<Change>;

interface ChangeLogOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: EventSink;
  /** What is in force of an object, to be compared; undefined: there is none. */
  contentOf(ref: Ref): unknown;
}

/** The changes of a batch before they are applied. */
type Before = ReadonlyMap<string, unknown>;

/** Tells changes of the registry. */
export interface ChangeLog {
  /** What is in force of the first objects of a batch, before it is applied. */
  before(source: string, batch: readonly Change[]): Before;
  /**
   * Tells the changes that a source read together, one event for each, after they were applied; what it has
   * at the start is one line for all of it. Costs nothing for a proxy.
   */
  applied(source: string, batch: readonly Change[], before: Before): void;
  /** Who asks for the change of an object that comes next: a client of the admin API. */
  asks(ref: Ref, by: string): void;
  askedBy(ref: Ref): string | undefined;
}

/** Creates it. No source has been read yet. */
export function createChangeLog({ clock, logger, events, contentOf }: ChangeLogOptions): ChangeLog {
  const synced = new Set<string>();
  // What sources have reported before they synced.
  const read = new Map<string, number>();
  const asked = new Map<string, { readonly by: string; readonly at: number }>();

  function atStart(source: string, batch: readonly Change[]): void {
    const objects = (read.get(source) ?? 0) + batch.filter(({ type }) => type === 'upsert').length;
    read.set(source, objects);
    if (!batch.some(({ type }) => type === 'synced')) return;
    synced.add(source);
    read.delete(source);
    logger.info('source read', { source, objects });
  }

  function askedBy(ref: Ref): string | undefined {
    const found = asked.get(refKey(ref));
    return found && clock.now() - found.at <= askedLimits.waitMs ? found.by : undefined;
  }

  function tell(source: string, edit: Edit, before: Before): void {
    const ref = refOfEdit(edit);
    const was = before.get(refKey(ref));
    const is = contentOf(ref);
    const change = was === undefined ? 'added' : is === undefined ? 'removed' : 'changed';
    const { fields, more } = change === 'changed' ? fieldChanges(was, is) : { fields: [], more: 0 };
    const by = askedBy(ref);
    events.note({
      ...{ kind: 'change', source, change, object: cut(showRef(ref)) },
      ...(fields.length > 0 ? { fields } : {}),
      ...(more > 0 ? { moreFields: more } : {}),
      ...(edit.type === 'upsert' && edit.object.meta.origin ? { where: cut(edit.object.meta.origin) } : {}),
      ...(by === undefined ? {} : { by }),
    });
  }

  return {
    before(source, batch) {
      if (!synced.has(source)) return new Map();
      const refs = editsOf(batch).slice(0, toldMax).map(refOfEdit);
      return new Map(refs.map((ref) => [refKey(ref), contentOf(ref)]));
    },
    applied(source, batch, before) {
      if (!synced.has(source)) return atStart(source, batch);
      const edits = editsOf(batch);
      for (const edit of edits.slice(0, toldMax)) tell(source, edit, before);
      if (edits.length > toldMax) events.note({ kind: 'change', source, more: edits.length - toldMax });
    },
    asks(ref, by) {
      const key = refKey(ref);
      asked.delete(key);
      asked.set(key, { by, at: clock.now() });
      if (asked.size > askedLimits.names) asked.delete(asked.keys().next().value as string);
    },
    askedBy,
  };
}

const toldElsewhere: ReadonlySet<string> = new Set(['Evacuation', 'Drain']);

/** Evacuations and drains are told by themselves: they also change by the clock. */
function editsOf(batch: readonly Change[]): readonly Edit[] {
  const isToldHere = (edit: Edit) => !toldElsewhere.has(refOfEdit(edit).kind);
  return batch.filter((one): one is Edit => one.type !== 'synced' && isToldHere(one));
}

function refOfEdit(edit: Edit): Ref {
  return edit.type === 'upsert' ? refOf(edit.object) : edit.ref;
}
