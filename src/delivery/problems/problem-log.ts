import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { cut, eventTextMax } from '../../events/cut.ts';
import type { EventSink, NewEvent } from '../../events/event.ts';
import { type Flapping, Flaps } from '../../events/flaps.ts';
import type { Finding } from '../../model/finding.ts';
import { showRef } from '../../model/object.ts';

/** Told of one change of the problems: a missing folder must not tell each of its objects. */
const toldMax = 20;

interface ProblemLogOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly events: EventSink;
}

type Findings = ReadonlyMap<string, Finding>;

/** What is known of the problems of a source. */
interface Known {
  /** Errors by place; `told`: those whose beginning was told. */
  readonly errors: Findings;
  readonly told: Set<string>;
  /** All others, by place and message. */
  readonly others: Findings;
}

/**
 * Tells each problem of a source when it appears, and when it is over: errors as events, all others as lines
 * of the log alone. Returns a function that takes a source's problems each time that they may have changed.
 */
export function createProblemLog(
  options: ProblemLogOptions,
): (source: string, problems: readonly Finding[]) => void {
  const bySource = new Map<string, Known>();
  const errors = new Flaps<{ readonly source: string; readonly finding: Finding }>(
    options.clock,
    (phase, { source, finding }, flapping) =>
      options.events.note(problemEvent(phase, source, finding, flapping)),
  );

  function tellErrors(source: string, { errors: before, told }: Known, now: Findings): void {
    const come = [...now].filter(([key]) => !before.has(key));
    const gone = [...before].filter(([key]) => !now.has(key) && told.delete(key));
    for (const [key, finding] of come.slice(0, toldMax)) {
      told.add(key);
      errors.begin(`${source} ${key}`, { source, finding });
    }
    for (const [key, finding] of gone.slice(0, toldMax)) errors.end(`${source} ${key}`, { source, finding });
    for (const [phase, { length }] of [['begin', come] as const, ['end', gone] as const])
      if (length > toldMax) options.events.note({ kind: 'problem', phase, source, more: length - toldMax });
  }

  return (source, problems) => {
    const known = bySource.get(source) ?? { errors: new Map(), told: new Set<string>(), others: new Map() };
    const now: Known = {
      errors: errorsByPlace(problems),
      told: known.told,
      others: othersByMessage(problems),
    };
    bySource.set(source, now);
    tellErrors(source, known, now.errors);
    logOthers(options.logger, source, known.others, now.others);
  };
}

/** Errors by what they are and where: one that says something else, such as another count, is the same. */
function errorsByPlace(problems: readonly Finding[]): Findings {
  const found = new Map<string, Finding>();
  for (const one of problems) {
    if (one.severity !== 'error') continue;
    const place = JSON.stringify([one.code, one.where, one.path]);
    let key = place;
    for (let i = 2; found.has(key); i += 1) key = `${place} ${i}`;
    found.set(key, one);
  }
  return found;
}

function othersByMessage(problems: readonly Finding[]): Findings {
  const others = problems.filter(({ severity }) => severity !== 'error');
  return new Map(others.map((one) => [JSON.stringify([one.where, one.path, one.message]), one]));
}

function logOthers(logger: Logger, source: string, before: Findings, now: Findings): void {
  const fieldsOf = ({ code, where, path, message }: Finding) => ({
    ...{ source, code, where, ...(path === '' ? {} : { path }), problem: message },
  });
  const come = [...now].filter(([key]) => !before.has(key));
  const gone = [...before].filter(([key]) => !now.has(key));
  for (const [, one] of come.slice(0, toldMax)) logger.warn('registry problem', fieldsOf(one));
  if (come.length > toldMax)
    logger.warn('more registry problems: see /problems', { source, more: come.length - toldMax });
  for (const [, one] of gone.slice(0, toldMax)) logger.info('registry problem is over', fieldsOf(one));
}

function problemEvent(
  phase: 'begin' | 'end',
  source: string,
  { code, where, path, ref, message }: Finding,
  flapping: Flapping | undefined,
): NewEvent {
  return {
    ...{ kind: 'problem', phase, source, code, where: cut(where) },
    ...(path === '' ? {} : { path: cut(path) }),
    ...(ref === undefined ? {} : { object: cut(showRef(ref)) }),
    ...{ problem: cut(message, eventTextMax.problem), ...flapping },
  };
}
