import type { LogFields, Logger } from '../base/log.ts';
import { type Change, refOf, showRef } from '../model/object.ts';

/** Lines for the changes that were read together: a large edit must not fill the log. */
const linesMax = 20;

/**
 * Logs each change of the registry, one line for each; what a source has at the start is one line for all of
 * it. Returns a function that takes the changes of a source that were read together. Costs nothing for a
 * proxy.
 */
export function createChangeLog(logger: Logger): (source: string, batch: readonly Change[]) => void {
  const synced = new Set<string>();
  // What sources have reported before they synced.
  const read = new Map<string, number>();

  function atStart(source: string, batch: readonly Change[]): void {
    const objects = (read.get(source) ?? 0) + batch.filter(({ type }) => type === 'upsert').length;
    read.set(source, objects);
    if (!batch.some(({ type }) => type === 'synced')) return;
    synced.add(source);
    read.delete(source);
    logger.info('source read', { source, objects });
  }

  return (source, batch) => {
    if (!synced.has(source)) return atStart(source, batch);
    const changes = batch.filter((one) => one.type !== 'synced');
    for (const change of changes.slice(0, linesMax)) logger.info('registry change', fieldsOf(source, change));
    if (changes.length > linesMax)
      logger.info('more registry changes', { source, more: changes.length - linesMax });
  };
}

function fieldsOf(source: string, change: Exclude<Change, { type: 'synced' }>): LogFields {
  const ref = change.type === 'upsert' ? refOf(change.object) : change.ref;
  return { source, change: change.type, object: showRef(ref) };
}
