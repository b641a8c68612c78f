import { type Evacuation, evacuationLimits } from '../../../model/evacuation.ts';
import type { Meta } from '../../../model/meta.ts';
import { canonicalHost, isHost } from '../../../model/values/hostname.ts';
import type { Fault } from '../fault.ts';
import { show } from '../fault.ts';
import type { Fields } from '../fields.ts';
import { checkLabels } from '../metadata.ts';
import { parseStrict, validPartOf } from './parse-strict.ts';
import { evacuationSpec } from './schema-evacuation.ts';

/** Reads an isthmus.dev Evacuation; undefined when it has faults. */
export function parseEvacuation(spec: Fields, meta: Meta, faults: Fault[]): Evacuation | undefined {
  const whole = parseStrict(evacuationSpec, spec.raw, spec.path(), faults);
  // An error of one field must not hide those of others.
  const parsed = whole ?? validPartOf(evacuationSpec.partial(), spec.raw) ?? {};
  const groups = parseGroups(spec, parsed.groups ?? []);
  const selector = parsed.selector?.matchLabels;
  checkSelector(spec, selector);
  const percent = parsed.percent ?? evacuationLimits.percentDefault;
  const steps = parsed.steps ?? [];
  const startsAt = parsed.starts === undefined ? undefined : Date.parse(parsed.starts);
  const expiresAt = Date.parse(parsed.expires ?? '');
  checkTimes(spec, startsAt, expiresAt);
  checkSteps(spec, steps, percent);
  if (whole === undefined) return undefined;
  return {
    kind: 'Evacuation',
    meta,
    spec: {
      ...{ idc: whole.idc, groups, percent, expiresAt, steps },
      ...(selector === undefined ? {} : { selector: { ...selector } }),
      ...(startsAt === undefined ? {} : { startsAt }),
      stepMs: 1_000 * (parsed.stepSeconds ?? evacuationLimits.stepSecondsDefault),
      ...(parsed.reason === undefined ? {} : { reason: parsed.reason }),
    },
  };
}

function parseGroups(spec: Fields, texts: readonly string[]): readonly string[] {
  const hosts = texts.map((text, index) => {
    const host = canonicalHost(text);
    if (!isHost(host))
      spec.error(`${show(text)} is not a host: give one of a ServiceEntry.`, 'groups', index);
    return host;
  });
  return [...new Set(hosts)].sort();
}

function checkSelector(spec: Fields, labels: Readonly<Record<string, string>> | undefined): void {
  if (labels === undefined) return;
  if (Object.keys(labels).length === 0)
    spec.error(
      'selects nothing in particular: name at least one label, or remove it: then all Groups leave.',
      'selector',
      'matchLabels',
    );
  const fields = spec.map('selector');
  if (fields !== undefined) checkLabels(fields, 'matchLabels', labels);
}

function checkTimes(spec: Fields, startsAt: number | undefined, expiresAt: number): void {
  if (startsAt === undefined) return;
  if (expiresAt <= startsAt) spec.error('is not after `starts`: it would never be in force.', 'expires');
  else if (expiresAt - startsAt > evacuationLimits.lastsMsMax)
    spec.error(
      'is more than 72 hours after `starts`: end it sooner, and renew it when it is needed.',
      'expires',
    );
}

/** Without `starts` each control plane, and each restart, would count from another time. */
function checkSteps(spec: Fields, steps: readonly number[], percent: number): void {
  if (steps.length > 0 && !spec.has('starts'))
    spec.error('needs `starts`: the steps are counted from there, by every control plane alike.', 'steps');
  if (spec.has('stepSeconds') && steps.length === 0)
    spec.error('has no effect without `steps`: remove it, or give steps.', 'stepSeconds');
  for (const [index, step] of steps.entries()) {
    const before = steps[index - 1] ?? 0;
    if (step <= before)
      spec.error(`${step} is not more than the step before: let them rise.`, 'steps', index);
    else if (step > percent)
      spec.error(`${step} is more than \`percent\`, ${percent}: let them end there.`, 'steps', index);
  }
}
