import type { Logger } from '../../base/log.ts';
import type { Finding } from '../../model/finding.ts';

/** Lines for one change of the problems: a missing folder must not log a line for each of its objects. */
const linesMax = 20;

/**
 * Logs each problem of a source when it appears, and when it is over. Returns a function that takes a
 * source's problems each time that they may have changed.
 */
export function createProblemLog(logger: Logger): (source: string, problems: readonly Finding[]) => void {
  const bySource = new Map<string, ReadonlyMap<string, Finding>>();
  return (source, problems) => {
    const before = bySource.get(source) ?? new Map<string, Finding>();
    const now = new Map(problems.map((one) => [JSON.stringify([one.where, one.path, one.message]), one]));
    bySource.set(source, now);
    const come = [...now].filter(([key]) => !before.has(key)).map(([, one]) => one);
    const gone = [...before].filter(([key]) => !now.has(key)).map(([, one]) => one);
    for (const { code, severity, where, path, message } of come.slice(0, linesMax)) {
      const fields = { source, code, where, ...(path === '' ? {} : { path }), problem: message };
      if (severity === 'error') logger.error('registry problem', fields);
      else logger.warn('registry problem', fields);
    }
    if (come.length > linesMax)
      logger.warn('more registry problems: see /problems', { source, more: come.length - linesMax });
    for (const { code, where, path, message } of gone.slice(0, linesMax))
      logger.info('registry problem is over', { source, code, where, path, problem: message });
  };
}
